import { describe, expect, test } from 'vitest'
import type { StreamMessage } from '~/api/types'
import { apply, EVENTS, type LiveState, NOTHING, retold, retoldList } from './state'

const counts = { remotes: { total: 1, up: 1, needs_person: 0, never_listed: 0, unreadable: 0 } }

function list(more: object): StreamMessage {
  return { type: 'list', list: 'l1', of: 'guests', rows: [], removed: [], total: 0, counts, revision: 1, ...more }
}

const row = (id: string, name = id) => ({ id, name })

test('a list is what was told, in the latest order', () => {
  let state = apply(NOTHING, list({ rows: [row('a'), row('b')], order: ['b', 'a'], total: 2 }))
  state = apply(state, list({ rows: [row('a', 'new')], total: 2, revision: 2 }))
  const held = state.lists.get('l1')
  expect(held?.order).toEqual(['b', 'a'])
  expect(held?.rows.get('a')).toEqual(row('a', 'new'))
  state = apply(state, list({ removed: ['b'], order: ['a'], total: 1 }))
  expect([...(state.lists.get('l1')?.rows.keys() ?? [])]).toEqual(['a'])
})

test('a row that is not told anew stays the same object', () => {
  const first = apply(NOTHING, list({ rows: [row('a'), row('b')], order: ['a', 'b'] }))
  const second = apply(first, list({ rows: [row('b', 'new')] }))
  expect(second.lists.get('l1')?.rows.get('a')).toBe(first.lists.get('l1')?.rows.get('a'))
})

test('after a reset nothing of before is left', () => {
  const state = apply(NOTHING, { type: 'links', upserted: [{ id: 7, name: 'home' } as never], removed: [] })
  expect(state.links?.size).toBe(1)
  expect(apply(state, { type: 'reset', why: 'slow' })).toEqual(NOTHING)
})

describe('events', () => {
  const event = (id: number) => ({ id, name: 'x', at: '', sentence: '' })
  const told = (ids: number[], upTo = ids.at(-1) ?? 0): StreamMessage => ({ type: 'events', items: ids.map(event), up_to: upTo })
  const held = (state: LiveState) => state.events && { after: state.events.after, ids: state.events.items.map((one) => one.id) }

  test('come newest first, once each', () => {
    expect(held(apply(apply(NOTHING, told([4, 5])), told([5, 7])))).toEqual({ after: 3, ids: [7, 5, 4] })
  })

  test('are known to be all after the one from which they are told', () => {
    const state = apply(NOTHING, told([], 40))
    expect(held(state)).toEqual({ after: 40, ids: [] })
    expect(held(apply(state, told([44, 47])))).toEqual({ after: 40, ids: [47, 44] })
    expect(apply(state, told([], 50))).toBe(state)
  })

  test('are not kept without end, and it is known which are', () => {
    const state = apply(apply(NOTHING, told([1, 2])), told(Array.from({ length: EVENTS + 50 }, (_, index) => index + 10)))
    expect(state.events?.items).toHaveLength(EVENTS)
    expect(state.events?.items[0]?.id).toBe(EVENTS + 59)
    expect(state.events?.after).toBe((state.events?.items.at(-1)?.id ?? 0) - 1)
  })

  test('go on after a reset where it says', () => {
    const state = apply(apply(NOTHING, told([4, 5])), { type: 'reset', why: 'slow', events_after: 9 })
    expect(state).toEqual({ ...NOTHING, events: { after: 9, items: [] } })
  })
})

test('who comes later is brought to the same state', () => {
  let state = apply(NOTHING, { type: 'links', upserted: [{ id: 7, name: 'home' } as never], removed: [] })
  state = apply(state, { type: 'events', items: [{ id: 4, name: 'x', at: '', sentence: '' }], up_to: 4 })
  state = apply(state, list({ rows: [row('a'), row('b')], order: ['b', 'a'], total: 2 }))
  let later = NOTHING
  for (const message of retold(state, ['links', 'events'])) later = apply(later, message)
  const held = state.lists.get('l1')
  if (held) later = apply(later, retoldList('l1', 'guests', held))
  expect(later).toEqual(state)
})

test('of what was not wished for nothing is retold', () => {
  const state = apply(NOTHING, { type: 'links', upserted: [], removed: [] })
  expect(retold(state, ['tasks'])).toEqual([])
})

test('of the overview a part that is not told stays as it was', () => {
  const part = (more: object) => ({ type: 'overview', ...more }) as StreamMessage
  let state = apply(NOTHING, part({ remotes: { total: 1 }, guests: { total: 5 } }))
  const before = state.overview
  state = apply(state, part({ guests: { total: 6 }, remotes: null }))
  expect(state.overview).toEqual({ remotes: { total: 1 }, guests: { total: 6 } })
  expect(state.overview?.remotes).toBe(before?.remotes)
  let later = NOTHING
  for (const message of retold(state, ['overview'])) later = apply(later, message)
  expect(later.overview).toEqual(state.overview)
})
