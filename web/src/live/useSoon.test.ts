import { renderHook } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useSoon } from './useSoon'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

function watch(first: unknown) {
  const act = vi.fn()
  const { rerender, unmount } = renderHook(({ sign }: { sign: unknown }) => useSoon(sign, act, 5000), { initialProps: { sign: first } })
  return { act, say: (sign: unknown) => rerender({ sign }), unmount }
}

test('what goes on changing is asked for once in a while', () => {
  const { act, say } = watch(0)
  for (let sign = 1; sign <= 100; sign += 1) {
    say(sign)
    vi.advanceTimersByTime(200)
  }
  expect(act.mock.calls.length).toBeGreaterThanOrEqual(3)
  expect(act.mock.calls.length).toBeLessThanOrEqual(4)
})

test('the last change is not forgotten, and what is known first is none', () => {
  const { act, say } = watch(undefined)
  say('a')
  vi.advanceTimersByTime(20_000)
  expect(act).not.toHaveBeenCalled()
  say('b')
  vi.advanceTimersByTime(5000)
  expect(act).toHaveBeenCalledTimes(1)
  say('b')
  vi.advanceTimersByTime(20_000)
  expect(act).toHaveBeenCalledTimes(1)
})

test('nothing is asked for a page that is hidden, or gone', () => {
  const { act, say, unmount } = watch('a')
  const visible = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
  say('b')
  vi.advanceTimersByTime(20_000)
  visible.mockReturnValue('visible')
  expect(act).not.toHaveBeenCalled()
  say('c')
  unmount()
  vi.advanceTimersByTime(20_000)
  expect(act).not.toHaveBeenCalled()
})
