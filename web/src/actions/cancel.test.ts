import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Refusal } from '~/api/client'
import { wishes } from '~/api/once'
import type { Operation } from '~/api/types'
import { cancel, cancelAll, cancelledText, takenBack, uncancelled } from './cancel'
import { outcome, repeatable, tally, whyNotCancel } from './decide'

const post = vi.hoisted(() => vi.fn())
vi.mock('~/api/client', async (real) => ({ ...(await real<object>()), api: { POST: post } }))

const refusal = (code: string, status: number, retryAfter?: number) =>
  new Refusal({ type: `urn:muster:${code}`, title: code, status }, retryAfter)

function operation(id: string, over: Record<string, unknown> = {}): Operation {
  return {
    id,
    action: 'start',
    name: `web-${id}`,
    vmid: 101,
    state: 'pending',
    sentence: 'it waits for its turn',
    final: false,
    ...over,
  } as unknown as Operation
}

const taken = operation('1', { state: 'cancelled', final: true, sentence: 'not sent: cancelled by anna', dispatch: null, task: null })
const ended = operation('1', { state: 'cancelled', final: true, dispatch: { at: '' }, task: 'UPID:a' })
const idOf = (call: unknown[]) => (call[1] as { params: { path: { id: string } } }).params.path.id
const keyOf = (call: unknown[] | undefined) => (call?.[1] as { params: { header: Record<string, string> } }).params.header['Idempotency-Key']

beforeEach(() => {
  vi.clearAllMocks()
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  wishes.clear()
})

test('of several those that wait are taken back, and nothing else is asked for', async () => {
  post.mockResolvedValue({ data: taken })
  const made = await cancelAll([operation('1'), operation('2', { state: 'running' }), operation('3'), operation('4', { state: 'sent' })])
  expect(post.mock.calls.map(idOf)).toEqual(['1', '3'])
  expect(cancelledText(made)).toBe('2 operations cancelled, with nothing sent.')
})

test('what had left or ended meanwhile is told apart from what was refused, and from what nobody knows', async () => {
  post
    .mockRejectedValueOnce(refusal('already_sent', 409))
    .mockRejectedValueOnce(refusal('forbidden', 403))
    .mockRejectedValueOnce(refusal('console:no_answer', 0))
    .mockRejectedValueOnce(refusal('already_ended', 409))
    .mockResolvedValue({ data: taken })
  const made = await cancelAll(['1', '2', '3', '4', '5'].map((id) => operation(id)))
  expect(cancelledText(made)).toBe(
    '1 operation cancelled, with nothing sent. 1 had left before: it goes on. 1 had ended before. 1 could not be cancelled. ' +
      'Unknown of 1: no answer came. Ask again.',
  )
  expect(['1', '2', '3', '4', '5'].map((id) => made.failed.has(id) && uncancelled(made.failed.get(id)))).toEqual([
    'Not cancelled: it had left before, and goes on.',
    'Not cancelled: Forbidden.',
    'Unknown whether it was cancelled: no answer came. Ask again.',
    'Not cancelled: it had ended before.',
    false,
  ])
})

test('what is refused for its pace is asked for again when it may be', async () => {
  post.mockRejectedValueOnce(refusal('too_many', 429, 2)).mockResolvedValue({ data: taken })
  const made = cancelAll([operation('1')])
  await vi.advanceTimersByTimeAsync(1500)
  expect(post).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(await made).toEqual({ cancelled: 1, failed: new Map() })
})

test('asked again after no answer it is the same wish', async () => {
  post.mockRejectedValueOnce(refusal('console:no_answer', 0)).mockResolvedValue({ data: taken })
  await cancel(operation('1')).catch(() => undefined)
  await cancel(operation('1', { name: 'renamed' }))
  expect(keyOf(post.mock.calls[1])).toBe(keyOf(post.mock.calls[0]))
})

test('what was taken back is no failure, and nobody is offered it again', () => {
  expect([takenBack(taken), takenBack(ended)]).toEqual([true, false])
  expect(outcome(taken)).toMatchObject({ tone: 'off', title: 'Cancelled: start web-1', text: 'Not sent: cancelled by anna' })
  expect(outcome(ended).text).toMatch(/task was ended/)
  expect([repeatable(taken), repeatable(ended)]).toEqual([false, true])
  expect(tally([taken, ended], 0)).toBe('2 of 2 ended: 2 cancelled')
  expect(tally([taken], 1, 1)).toBe('2 of 3 ended: 1 cancelled, 1 refused, 1 not told of')
})

test.each<[over: Record<string, unknown>, may: boolean, why: RegExp | undefined]>([
  [{}, true, undefined],
  [{}, false, /role operator/],
  [{ state: 'running', task: 'UPID:a' }, true, /its task/],
  [{ state: 'sent' }, true, /sent already/],
  [{ state: 'not_sent', final: true }, true, /ended/],
])('why %o (may: %s) is not taken back: %s', (over, may, why) => {
  const told = whyNotCancel(operation('1', over), may)
  if (why) expect(told).toMatch(why)
  else expect(told).toBeUndefined()
})
