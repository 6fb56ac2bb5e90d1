import { expect, test } from 'vitest'
import type { LiveOverview } from '~/live/state'
import { grouped, listOf, madeOf, pageOf, seenOf, states, term, type Trouble, unknowns, verdict } from './decide'

const trouble = (kind: string, type: string, id: string, remote?: number): Trouble =>
  ({
    id: `${kind}/${id}`,
    kind,
    severity: 'error',
    live: true,
    sentence: 'x',
    since: null,
    subject: { type, id, name: id, ...(remote === undefined ? {} : { remote_id: remote }) },
  }) as Trouble

test('every problem leads to what it is about', () => {
  expect(pageOf(trouble('link', 'remote', '7', 7))).toBe('/remotes/7')
  expect(pageOf(trouble('coverage', 'remote', '7', 7))).toBe('/remotes/7?tab=coverage')
  expect(pageOf(trouble('node', 'node', '7/pve1', 7))).toBe('/nodes/7/pve1')
  expect(pageOf(trouble('guest', 'guest', '7/101', 7))).toBe('/guests/7/101')
  expect(pageOf(trouble('storage', 'storage', '7/local@pve1', 7))).toBe('/storages/7/local%40pve1')
  expect(pageOf(trouble('task', 'task', '7/UPID:a:b/c:', 7))).toBe('/tasks/7/UPID%3Aa%3Ab%2Fc%3A')
  expect(pageOf(trouble('operation', 'operation', '42', 7))).toBe('/operations/42')
  expect(pageOf(trouble('muster', 'muster', 'muster'))).toMatch(/^\/settings/)
  expect(pageOf(trouble('link', 'something new', '1'))).toBeUndefined()
})

test('a kind that a list can show has its query', () => {
  expect(listOf('link')).toBe('/remotes?q=link%3Adown%2Cdegraded')
  expect(listOf('muster')).toBeUndefined()
})

test('problems are grouped by kind, the worst kind first, and say how many there are in all', () => {
  const items = [trouble('node', 'node', '1/a', 1), trouble('link', 'remote', '2', 2), trouble('node', 'node', '1/b', 1)]
  const groups = grouped(items, { node: 60, link: 1 })
  expect(groups.map((group) => [group.kind, group.items.length, group.total])).toEqual([
    ['node', 2, 60],
    ['link', 1, 1],
  ])
})

const overview = (more: { remotes?: object; guests?: object; nodes?: object } = {}): LiveOverview =>
  ({
    remotes: { total: 2, up: 2, needs_person: 0, never_listed: 0, links: {}, ...more.remotes },
    guests: { total: 9, states: {}, by_type: {}, unknown: 0, stale: 0, templates: 0, ...more.guests },
    nodes: { total: 3, states: { online: 3 }, ...more.nodes },
  }) as unknown as LiveOverview

test('all is well only when all is known', () => {
  expect(verdict(overview())).toMatchObject({ well: true })
  expect(unknowns(overview())).toEqual([])
  for (const less of [{ remotes: { up: 1 } }, { remotes: { never_listed: 1 } }, { guests: { unknown: 1 } }, { nodes: { states: { unknown: 1 } } }]) {
    expect(verdict(overview(less)).well).toBe(false)
    expect(unknowns(overview(less))).toHaveLength(1)
  }
})

test('of what is not told any more nothing is said as if it were so now', () => {
  expect(verdict(overview(), '12:03')).toEqual({ title: 'When it was last told, at 12:03, all was well', well: false })
  expect(verdict(overview({ remotes: { up: 1 } }), '12:03').title).toBe('When it was last told, at 12:03, nothing was known to be wrong, but not all was known')
})

test('states stand in their usual order, without those that nobody has', () => {
  expect(states({ zombie: 1, stopped: 2, running: 1, paused: 0 })).toEqual([
    ['running', 1],
    ['stopped', 2],
    ['zombie', 1],
  ])
})

test('a state that only Proxmox VE knows is asked for in quotes', () => {
  expect(term('status', 'out_of_reach')).toBe('status:out_of_reach')
  expect(term('status', 'pre "launch"')).toBe('status:"pre \\"launch\\""')
})

test('a sum says of how many it is made, unless that is all and of now', () => {
  expect(madeOf({ of: 3, known: 3, stale: 0 }, 'node')).toBeUndefined()
  expect(madeOf({ of: 3, known: 2, stale: 1 }, 'node')).toBe('known of 2 of 3 nodes, 1 as last seen')
})

test('of what is not so for sure it is said once when it was, and nothing where nobody knows', () => {
  const seen = '2026-01-01T00:00:00Z'
  const problem = (live: boolean, sentence: string, at: string | null) => ({ live, sentence, seen: at })
  expect(seenOf(problem(true, '87 % full', null))).toBeUndefined()
  expect(seenOf(problem(false, '87 % full when last seen', seen))).toEqual({ words: '', at: seen })
  expect(seenOf(problem(false, 'it is offline', seen))).toEqual({ words: 'when last seen', at: seen })
  expect(seenOf(problem(false, '87 % full when last seen', null))).toBeUndefined()
})
