import { expect, test } from 'vitest'
import type { Operation } from '~/api/types'
import { foundOf, type Sent } from './seek'

const AT = Date.parse('2026-01-01T10:00:00Z')
const sent: Sent = {
  wish: { action: 'reboot', targets: [{ remote: '1', vmid: 101 }, { remote: '2', vmid: 101 }] },
  user: 'anna',
  at: AT,
}

function operation(id: string, over: Record<string, unknown> = {}): Operation {
  return {
    id,
    action: 'reboot',
    remote_id: 1,
    remote: 'home',
    vmid: 101,
    author: { name: 'anna', from: '192.0.2.1' },
    requested: '2026-01-01T10:00:01Z',
    ...over,
  } as unknown as Operation
}

const ids = (known: Operation[]) => foundOf(sent, known).map((one) => one?.id)

test('what a wish has become is found by person, action, guest and time', () => {
  expect(ids([operation('a'), operation('b', { remote_id: 2 })])).toEqual(['a', 'b'])
})

test.each<[what: string, over: Record<string, unknown>]>([
  ['of somebody else', { author: { name: 'ben', from: '' } }],
  ['for something else', { action: 'stop' }],
  ['of another guest', { vmid: 102 }],
  ['of another remote', { remote_id: 3 }],
  ['from before', { requested: '2026-01-01T09:59:00Z' }],
])('an operation %s is not it', (_, over) => {
  expect(ids([operation('a', over)])).toEqual([undefined, undefined])
})

test('of several the first is it: whoever asked again knew what they did', () => {
  expect(ids([operation('late', { requested: '2026-01-01T10:05:00Z' }), operation('a')])[0]).toBe('a')
})
