import { renderHook } from '@testing-library/react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { hearDate } from '~/api/clock'
import { now, toServer, useNow } from './now'

const HERE = Date.parse('2026-01-01T10:00:00Z')

beforeEach(() => void vi.useFakeTimers({ now: HERE }))
afterEach(() => {
  hearDate(new Date().toUTCString())
  now()
  vi.useRealTimers()
})

test('ages are counted by the server’s clock', () => {
  hearDate('Thu, 01 Jan 2026 09:58:00 GMT')
  expect(Math.abs(now() - (HERE - 120_000))).toBeLessThan(1000)
  const { result } = renderHook(() => useNow())
  expect(Math.abs(result.current - (HERE - 120_000))).toBeLessThan(2000)
  expect(toServer(HERE + 5000) - toServer(HERE)).toBe(5000)
})

test('a clock that goes right is left alone: what is known of the other wavers', () => {
  hearDate('Thu, 01 Jan 2026 10:00:01 GMT')
  expect(now()).toBe(HERE)
  hearDate('Thu, 01 Jan 2026 10:10:00 GMT')
  const ahead = now() - HERE
  hearDate('Thu, 01 Jan 2026 10:10:01 GMT')
  expect(now() - HERE).toBe(ahead)
})
