import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Refusal } from '~/api/client'
import type { Operation } from '~/api/types'
import { follow, followAll } from './follow'
import { endWatching } from './watch'

const stream = vi.hoisted(() => ({
  status: { state: 'live' },
  state: { operations: undefined as ReadonlyMap<string, unknown> | undefined },
  listeners: new Set<() => void>(),
  topic: vi.fn(() => () => undefined),
  subscribe(listener: () => void) {
    stream.listeners.add(listener)
    return () => stream.listeners.delete(listener)
  },
}))
const get = vi.hoisted(() => vi.fn())
vi.mock('~/live/live', () => ({ live: stream }))
vi.mock('~/api/client', async (real) => ({ ...(await real<object>()), api: { GET: get } }))

const refusal = (status: number) => new Refusal({ type: 'urn:muster:x', title: '', status })
const at = (state: string, final = false) => ({ id: '9', state, final }) as unknown as Operation
const told = vi.fn()
const lost = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  vi.clearAllMocks()
  stream.status.state = 'live'
  stream.state.operations = undefined
})

afterEach(() => {
  endWatching()
  vi.useRealTimers()
})

function tell(operation: Operation): void {
  stream.state.operations = new Map([[operation.id, operation]])
  stream.listeners.forEach((listener) => listener())
}

test('an operation is told as the stream tells it, until it has ended', async () => {
  follow(at('sent'), { told, lost })
  tell(at('running'))
  tell(at('succeeded', true))
  tell(at('failed', true))
  expect(told.mock.calls.map(([one]) => (one as Operation).state)).toEqual(['running', 'succeeded'])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(get).not.toHaveBeenCalled()
})

test('while the stream is cut it is asked for: what was told before the break is old', async () => {
  tell(at('running'))
  stream.status.state = 'cut'
  get.mockResolvedValue({ data: at('succeeded', true) })
  follow(at('sent'), { told, lost })
  await vi.advanceTimersByTimeAsync(3100)
  expect(told.mock.calls).toEqual([[at('succeeded', true)]])
})

test.each([401, 403, 404])('after %i nothing is asked for any more, and nobody is told that it ended', async (status) => {
  get.mockRejectedValue(refusal(status))
  follow(at('running'), { told, lost })
  await vi.advanceTimersByTimeAsync(30_000)
  expect(get).toHaveBeenCalledTimes(1)
  expect(told).not.toHaveBeenCalled()
  expect(lost).toHaveBeenCalledTimes(1)
})

test.each([0, 502, 503])('after %i it is asked for again', async (status) => {
  get.mockRejectedValue(refusal(status))
  follow(at('running'), { told, lost })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(get).toHaveBeenCalledTimes(3)
  expect(lost).not.toHaveBeenCalled()
})

test('whoever leaves follows nothing any more', async () => {
  get.mockRejectedValue(refusal(0))
  follow(at('running'), { told, lost })
  endWatching()
  tell(at('succeeded', true))
  await vi.advanceTimersByTimeAsync(10_000)
  expect([told.mock.calls.length, get.mock.calls.length, stream.listeners.size]).toEqual([0, 0, 0])
})

test('of what nothing is known but its id is asked for', async () => {
  get.mockRejectedValueOnce(refusal(503)).mockResolvedValue({ data: at('succeeded', true) })
  followAll(new Map([['9', undefined]]), { told, lost })
  await vi.advanceTimersByTimeAsync(10_000)
  expect([told.mock.calls, get.mock.calls.length]).toEqual([[[at('succeeded', true)]], 2])
})
