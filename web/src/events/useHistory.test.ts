import { expect, test } from 'vitest'
import type { FleetEvent } from '~/api/types'
import { kinds } from './kinds'
import { belongs, joined } from './useHistory'

const event = (id: number, more: Partial<FleetEvent> = {}): FleetEvent => ({ id, name: 'guest_state', at: '', sentence: '', ...more })

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
