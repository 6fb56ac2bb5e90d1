import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Refusal } from '~/api/client'
import type { ListSubscription } from '~/api/types'
import { type Known, ListStore, type Ports, type Question, type ToldPart } from './store'
import type { Part } from './window'

interface Row {
  id: string
  seen: number
}
const COUNTS = {}

/** A server with so many rows, and what is done with it. */
function world(total: number) {
  const asked: { question: Question; part: Part; signal: AbortSignal }[] = []
  const followed: { part: ListSubscription; tell: (told: ToldPart<Row> | undefined) => void; ended: boolean }[] = []
  const kept = new Map<string, Known<Row>>()
  const server = { total, fail: undefined as Error | undefined, name: 'r', watched: true }
  const ports: Ports<Row> = {
    of: 'guests',
    page: (question, part, signal) => {
      asked.push({ question, part, signal })
      if (server.fail) return Promise.reject(server.fail)
      const length = Math.max(0, Math.min(part.limit, server.total - part.offset))
      const items = Array.from({ length }, (_, at) => ({ id: `${server.name}${part.offset + at}`, seen: 0 }))
      return Promise.resolve({ items, total: server.total, counts: { ...COUNTS } })
    },
    follow: (part, tell) => {
      const one = { part, tell, ended: false }
      followed.push(one)
      return () => {
        one.ended = true
      }
    },
    recall: (key) => kept.get(key),
    keep: (key, known) => void kept.set(key, known),
    watched: () => server.watched,
    now: () => Date.now(),
  }
  const store = new ListStore<Row>(ports)
  return { store, asked, followed, server, ids: (from: number, to: number) => Array.from({ length: to - from }, (_, at) => store.snapshot().order?.id(from + at)) }
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms)

describe('a long list', () => {
  it('asks for its beginning, then follows what is on screen once that rests', async () => {
    const { store, asked, followed, ids } = world(100_000)
    const stop = store.start()
    store.ask({ q: 'a', sort: '' })
    expect(store.snapshot().order).toBeUndefined()
    await settle()
    expect(asked[0]?.part).toEqual({ offset: 0, limit: 50 })
    expect(store.snapshot().order?.total).toBe(100_000)
    expect(ids(0, 3)).toEqual(['r0', 'r1', 'r2'])
    await settle(500)
    expect(followed).toHaveLength(1)
    expect(followed[0]?.part).toMatchObject({ of: 'guests', q: 'a', offset: 0 })
    stop()
    expect(followed[0]?.ended).toBe(true)
  })

  it('asks for pages that come into view, and follows no place that is only passed by', async () => {
    const { store, asked, followed, ids } = world(100_000)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(500)
    for (const first of [400, 900, 5000]) {
      store.look(first, first + 20)
      await settle(50)
    }
    await settle(500)
    expect(ids(5000, 5002)).toEqual(['r5000', 'r5001'])
    expect(asked.every(({ part }) => part.limit <= 400)).toBe(true)
    expect(followed.map(({ part }) => part.offset)).toEqual([0, 4950])
    expect(followed[0]?.ended).toBe(true)
    // What was seen lately is still there.
    expect(ids(0, 1)).toEqual(['r0'])
  })

  it('takes over what the stream tells of its part, and shows no half of it', async () => {
    const { store, followed, ids } = world(200)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(500)
    const tell = followed[0]?.tell
    tell?.({ rows: new Map([['x', { id: 'x', seen: 1 }]]), order: ['x', 'r0'], total: 2, counts: COUNTS })
    expect(ids(0, 2)).toEqual(['r0', 'r1'])
    tell?.({ rows: new Map([['x', { id: 'x', seen: 1 }], ['r0', { id: 'r0', seen: 2 }]]), order: ['x', 'r0'], total: 2, counts: COUNTS })
    expect(ids(0, 3)).toEqual(['x', 'r0', undefined])
    expect(store.snapshot().row('r0')?.seen).toBe(2)
    expect(store.snapshot().order?.total).toBe(2)
  })

  it('forgets what it may no longer show when the stream begins anew', async () => {
    const { store, followed, ids } = world(100_000)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(500)
    store.look(5000, 5020)
    await settle(500)
    followed[1]?.tell({ rows: new Map(), order: [], total: 100_000, counts: COUNTS })
    followed[1]?.tell(undefined)
    expect(ids(0, 1)).toEqual([undefined])
  })

  it('keeps the old rows until another question is answered, and its own until that fails', async () => {
    const { store, asked, server, ids } = world(10)
    store.start()
    store.ask({ q: 'a', sort: '' })
    await settle()
    server.name = 's'
    store.ask({ q: 'b', sort: '' })
    expect(store.snapshot().pending).toBe(true)
    expect(ids(0, 1)).toEqual(['r0'])
    await settle()
    expect(store.snapshot().pending).toBe(false)
    expect(ids(0, 1)).toEqual(['s0'])
    server.fail = new Error('no')
    store.ask({ q: 'c', sort: '' })
    await settle()
    expect(store.snapshot().error).toBe(server.fail)
    expect(ids(0, 1)).toEqual(['s0'])
    server.fail = undefined
    store.again()
    await settle()
    expect(store.snapshot().error).toBeUndefined()
    expect(ids(0, 1)).toEqual(['s0'])
    expect(asked.at(-1)?.question.q).toBe('c')
  })

  it('goes on trying what failed, less and less often, while somebody looks', async () => {
    const { store, asked, server, ids } = world(10)
    server.fail = new Error('no')
    store.start()
    store.ask({ q: '', sort: '' })
    const waits: number[] = []
    for (let tries = 1, last = Date.now(); tries < 6; ) {
      await settle(1000)
      if (asked.length === tries) continue
      tries = asked.length
      waits.push(Date.now() - last)
      last = Date.now()
    }
    expect(waits).toEqual([5000, 10_000, 20_000, 30_000, 30_000])
    server.watched = false
    const before = asked.length
    await settle(120_000)
    expect(asked).toHaveLength(before)
    server.watched = true
    server.fail = undefined
    await settle(30_000)
    expect(store.snapshot().error).toBeUndefined()
    expect(ids(0, 1)).toEqual(['r0'])
  })

  it('does not ask again what the server refused', async () => {
    const { store, asked, server } = world(10)
    server.fail = new Refusal({ type: 'urn:muster:query', title: 'No such key', status: 422 })
    store.start()
    store.ask({ q: 'stauts:x', sort: '' })
    await settle(120_000)
    expect(asked).toHaveLength(1)
    expect(store.snapshot().error).toBe(server.fail)
  })

  it('ends with its screen', async () => {
    const { store, asked, server } = world(10)
    server.fail = new Error('no')
    const stop = store.start()
    store.ask({ q: '', sort: '' })
    await settle()
    stop()
    await settle(120_000)
    expect(asked).toHaveLength(1)
  })

  it('asks for what lies where it moves to before that is on screen', async () => {
    const { store, ids } = world(100_000)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle()
    expect(ids(60, 61)).toEqual([undefined])
    store.look(1, 23)
    await settle()
    expect(ids(60, 61)).toEqual(['r60'])
    for (let first = 10; first < 400; first += 10) {
      store.look(first, first + 22)
      expect(ids(first + 22, first + 23)).toEqual([`r${first + 22}`])
      await settle()
    }
  })

  it('does not take the answer to an earlier question', async () => {
    const { store, asked } = world(10)
    store.start()
    store.ask({ q: 'a', sort: '' })
    store.ask({ q: 'ab', sort: '' })
    await settle()
    expect(asked[0]?.signal.aborted).toBe(true)
    expect(store.snapshot().order?.key).toBe(JSON.stringify(['ab', '']))
  })

  it('asks again now and then for what the stream does not tell', async () => {
    const { store, asked, followed } = world(10)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(400)
    const before = asked.length
    await settle(11_000)
    expect(asked.length).toBe(before + 2)
    followed[0]?.tell({ rows: new Map(), order: [], total: 0, counts: COUNTS })
    const told = asked.length
    await settle(20_000)
    expect(asked).toHaveLength(told)
  })

  it('asks for what the stream told while the stream is cut, says of when it is, and leaves it to the stream again', async () => {
    const { store, asked, followed } = world(10)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(400)
    followed[0]?.tell({ rows: new Map([['r0', { id: 'r0', seen: 1 }]]), order: ['r0'], total: 1, counts: COUNTS })
    await settle(60_000)
    const told = asked.length
    store.streamed(false)
    expect(store.snapshot().at).toBe(Date.now())
    const cut = Date.now()
    await settle(11_000)
    expect(asked.length).toBe(told + 2)
    expect(store.snapshot().at).toBeGreaterThan(cut)
    store.streamed(true)
    await settle(60_000)
    expect(asked.length).toBe(told + 2)
  })

  it('lets no answer take the place of what the stream told meanwhile', async () => {
    const { store, followed, ids } = world(100)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(400)
    const names = Array.from({ length: 50 }, (_, at) => `r${at + 1}`)
    followed[0]?.tell({ rows: new Map(names.map((id) => [id, { id, seen: 7 }])), order: names, total: 99, counts: COUNTS })
    expect(followed[0]?.part).toMatchObject({ offset: 0, limit: 50 })
    // Asked for all of it: what is below was told, what comes after was not.
    store.look(20, 60)
    await settle()
    store.again()
    await settle()
    expect(ids(0, 1)).toEqual(['r1'])
    expect(store.snapshot().row('r1')?.seen).toBe(7)
    expect(ids(52, 53)).toEqual(['r52'])
    expect(store.snapshot().order?.total).toBe(99)
  })

  it('asks for what is on screen anew when it is told that rows came or went, and leaves a failure to its own time', async () => {
    const { store, asked, server } = world(100)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(500)
    const before = asked.length
    server.name = 's'
    store.snapshot().refresh()
    await settle()
    expect(asked).toHaveLength(before + 1)
    expect(store.snapshot().order?.id(0)).toBe('s0')
    server.fail = new Refusal({ status: 503, title: 'x', type: 'urn:muster:x' })
    store.snapshot().refresh()
    await settle()
    store.snapshot().refresh()
    await settle()
    expect(asked).toHaveLength(before + 2)
  })

  it('tells counts as another object only when they say something else', async () => {
    const { store } = world(1000)
    store.start()
    store.ask({ q: '', sort: '' })
    await settle(500)
    const { counts } = store.snapshot()
    store.look(300, 320)
    await settle(500)
    expect(store.snapshot().order?.id(300)).toBe('r300')
    expect(store.snapshot().counts).toBe(counts)
  })
})
