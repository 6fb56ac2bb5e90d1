import { expect, test } from 'vitest'
import { hearDate, serverNow } from './clock'

test('the server’s clock is followed to a second, however wrong the browser’s is', () => {
  const here = Date.parse('2026-01-01T10:00:00Z')
  hearDate('Thu, 01 Jan 2026 10:07:30 GMT', here)
  expect(Math.abs(serverNow(here + 60_000) - Date.parse('2026-01-01T10:08:30Z'))).toBeLessThan(1000)
  hearDate(null, here)
  hearDate('yesterday', here)
  expect(serverNow(here)).toBeGreaterThan(here + 440_000)
})
