import { describe, expect, it } from 'vitest'
import { byteAt, split, unitAt } from './spans'

describe('a place in bytes', () => {
  const text = 'aé漢😀b'

  it('is found in what the browser counts, and back', () => {
    expect([0, 1, 3, 6, 10, 11].map((bytes) => unitAt(text, bytes))).toEqual([0, 1, 2, 3, 5, 6])
    for (const unit of [0, 1, 2, 3, 5, 6]) expect(unitAt(text, byteAt(text, unit))).toBe(unit)
  })

  it('within a character is its beginning, and beyond the text its end', () => {
    expect(unitAt(text, 2)).toBe(1)
    expect(unitAt(text, 8)).toBe(3)
    expect(unitAt(text, 99)).toBe(6)
  })

  it('marks what is wrong', () => {
    expect(split('größe stauts:x', { start: 8, end: 14 })).toEqual(['größe ', 'stauts', ':x'])
    expect(split('😀 cpu>x', { start: 9, end: 10 })).toEqual(['😀 cpu>', 'x', ''])
  })

  it('marks what stands before the place where something is missing', () => {
    expect(split('cpu>', { start: 4, end: 4 })).toEqual(['cpu', '>', ''])
    expect(split('', { start: 0, end: 0 })).toEqual(['', '', ''])
  })
})
