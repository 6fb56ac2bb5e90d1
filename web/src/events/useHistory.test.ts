import { describe, expect, test } from 'vitest'
import type { FleetEvent, StreamMessage } from '~/api/types'
import { apply, type LiveEvents, NOTHING } from '~/live/state'
import { kinds } from './kinds'
import { belongs, type History, joined, taken } from './useHistory'

const event = (id: number, more: Partial<FleetEvent> = {}): FleetEvent => ({ id, name: 'guest_state', at: '', sentence: '', ...more })
const ids = (history: History | 'gap') => (history === 'gap' ? 'gap' : history.pages.flatMap((page) => page.items.map((one) => one.id)))

/** Pages as they were read when all up to `upTo` had been told. */
function read(upTo: number | undefined, ...pages: number[][]): History {
  return {
    pages: pages.map((items, at) => ({ items: items.map((id) => event(id)), total: items.length, next: items.at(-1) ?? null, ...(at === 0 && { upTo }) })),
    pageParams: pages.map(() => undefined),
  }
}

const told = (after: number, ...items: number[]): LiveEvents => ({ after, items: items.map((id) => event(id)) })

test('what is told twice stands once, newest first', () => {
  expect(joined([event(9), event(8)], [event(8), event(5)]).map((one) => one.id)).toEqual([9, 8, 5])
})

test.each([
  [{}, true],
  [{ remote: 7 }, true],
  [{ remote: 8 }, false],
  [{ remote: 7, vmid: 102 }, false],
  [{ remote: 7, vmid: 101, kind: 'guest_state' }, true],
  [{ kind: 'link' }, false],
])('an event of guest 101 of remote 7, asked for %o: %s', (of, expected) => {
  expect(belongs(event(1, { remote_id: 7, vmid: 101 }), of)).toBe(expected)
})

test('a guest’s history offers no kinds that are about remotes', () => {
  expect(kinds('fleet').map((one) => one.group)).toContain('Remotes')
  expect(kinds('guest').flatMap((one) => one.items.map((item) => item.value))).not.toContain('link')
})

describe('what the stream tells', () => {
  test('stands before what was read, and once', () => {
    const history = taken(read(8, [9, 8, 5], [4, 2]), told(7, 11, 9, 8), {})
    expect(ids(history)).toEqual([11, 9, 8, 5, 4, 2])
    expect(taken(history as History, told(7, 11, 9, 8), {})).toBe(history)
  })

  test('of something else is left out, and nothing is missing all the same', () => {
    const events: LiveEvents = { after: 7, items: [event(12, { vmid: 2 }), event(11, { vmid: 1 })] }
    const history = taken(read(8, [8]), events, { vmid: 1 })
    expect(ids(history)).toEqual([11, 8])
    expect(ids(taken(history as History, { after: 11, items: [event(13, { vmid: 1 }), event(12, { vmid: 2 })] }, { vmid: 1 }))).toEqual([13, 11, 8])
  })

  test('leaves a gap to what was read before it began', () => {
    expect(taken(read(5, [5, 4]), told(7, 9), {})).toBe('gap')
    expect(taken(read(undefined, [5, 4]), told(7, 9), {})).toBe('gap')
    expect(ids(taken(read(7, [7, 5]), told(7, 9), {}))).toEqual([9, 7, 5])
  })

  test('stays when so much follows that the stream itself keeps it no longer', () => {
    const mine = { remote_id: 7, vmid: 101 }
    let state = apply(NOTHING, { type: 'events', items: [], up_to: 10 })
    let history: History | 'gap' = { pages: [{ items: [event(9, mine)], total: 1, next: null, upTo: 10 }], pageParams: [undefined] }
    const tell = (...items: FleetEvent[]) => {
      const message: StreamMessage = { type: 'events', items, up_to: items.at(-1)?.id ?? 0 }
      state = apply(state, message)
      if (history !== 'gap' && state.events) history = taken(history, state.events, { remote: 7, vmid: 101 })
    }
    tell(event(11, mine))
    for (let id = 12; id < 1200; id += 1) tell(event(id))
    tell(event(1200, mine))
    expect(state.events?.items.map((one) => one.id)).not.toContain(11)
    expect(ids(history)).toEqual([1200, 11, 9])
  })

  test('that is lost when too much comes at once is a gap, not silence', () => {
    const many = Array.from({ length: 700 }, (_, index) => event(index + 11))
    const state = apply(apply(NOTHING, { type: 'events', items: [], up_to: 10 }), { type: 'events', items: many, up_to: 710 })
    expect(taken(read(10, [9]), state.events ?? told(0), {})).toBe('gap')
  })

  test('is not held without end; what goes is there to be asked for', () => {
    let history: History | 'gap' = read(10, [10, 9], [8, 7])
    for (let id = 11; id < 2500; id += 1) if (history !== 'gap') history = taken(history, told(id - 1, id), {})
    const shown = history as History
    expect(ids(shown)[0]).toBe(2499)
    expect(ids(shown).length).toBeLessThanOrEqual(1000)
    expect(shown.pages[0]?.next).toBe(ids(shown).at(-1))
  })
})
