import { describe, expect, test } from 'vitest'
import { ago, bytes, count, DASH, percent, span } from './format'

describe('what is not known', () => {
  test.each([undefined, null, Number.NaN])('%s is a dash, never a zero', (value) => {
    expect(bytes(value)).toBe(DASH)
    expect(percent(value)).toBe(DASH)
    expect(span(value)).toBe(DASH)
  })
  test('a count too', () => expect(count(null)).toBe(DASH))
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 3 * 99.95, '100 GiB'],
  [1024 ** 5 * 2048, '2048 PiB'],
])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text))

test.each([
  [0, '0 %'],
  [0.034, '3.4 %'],
  [0.05, '5 %'],
  [0.7, '70 %'],
  [1.2, '120 %'],
])('the share %d is %s', (value, text) => expect(percent(value)).toBe(text))

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [3600, '1 h'],
  [3660, '1 h 1 min'],
  [90_061, '1 d 1 h'],
  [86_460, '1 d'],
])('%d seconds are %s', (value, text) => expect(span(value)).toBe(text))

test.each([
  [0, 'just now'],
  [40_000, '40 s ago'],
  [180_000, '3 min ago'],
  [7_200_000, '2 h ago'],
  [-5000, 'in 5 s'],
])('%d ms before now is %s', (before, text) => expect(ago(1_000_000_000 - before, 1_000_000_000)).toBe(text))

test('thousands stand apart', () => expect(count(100_000)).toBe('100\u202f000'))
