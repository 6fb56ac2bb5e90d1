import { describe, expect, it } from 'vitest'
import { ahead, missing, PAGE, partOf, step } from './window'

describe('the part that is followed', () => {
  it('has what is on screen in it, with some rows on both sides, in whole pages', () => {
    for (const total of [0, 1, 49, 50, 51, 99_999, 100_000, undefined]) {
      for (const first of [0, 3, 49, 50, 77, 1234, 99_970]) {
        const last = first + 24
        const part = partOf(first, last, total)
        expect(part.offset % PAGE).toBe(0)
        expect(part.limit % PAGE).toBe(0)
        expect(part.limit).toBeGreaterThan(0)
        const end = total ?? Infinity
        if (first >= end) continue
        expect(part.offset).toBeLessThanOrEqual(first)
        expect(part.offset + part.limit).toBeGreaterThanOrEqual(Math.min(last + 1, end))
      }
    }
  })

  it('stays the same while the screen moves a little', () => {
    expect(partOf(70, 95, 100_000)).toEqual(partOf(72, 97, 100_000))
  })

  it('is bounded, however high the screen', () => {
    expect(partOf(0, 100_000, 100_000).limit).toBeLessThanOrEqual(400)
  })

  it('stays within the list when that has become shorter', () => {
    const part = partOf(5000, 5024, 120)
    expect(part.offset).toBeLessThan(120)
    expect(part.offset + part.limit).toBeGreaterThanOrEqual(120)
  })
})

describe('what is not known of it', () => {
  const part = { offset: 50, limit: 150 }

  it('is nothing when all is known, or the list ends before it', () => {
    expect(missing(part, 1000, () => true)).toBeUndefined()
    expect(missing(part, 50, () => false)).toBeUndefined()
  })

  it('is asked for in whole pages, from the first unknown row to the last', () => {
    expect(missing(part, 1000, (index) => index < 110 || index > 120)).toEqual({ offset: 100, limit: 50 })
    expect(missing(part, 1000, (index) => index !== 60 && index !== 160)).toEqual({ offset: 50, limit: 150 })
  })

  it('is not asked for beyond the end', () => {
    expect(missing(part, 120, (index) => index < 120)).toBeUndefined()
  })
})

it('steps within the list', () => {
  expect(step(0, -1, 10)).toBe(0)
  expect(step(5, 20, 10)).toBe(9)
  expect(step(5, 2, 10)).toBe(7)
})

describe('what lies ahead', () => {
  const upTo = (rows: number) => (index: number) => index < rows

  it('is not asked for while the window rests, nor while enough of it is known', () => {
    expect(ahead({ first: 0, last: 20, way: 0 }, 10_000, upTo(50))).toBeUndefined()
    expect(ahead({ first: 0, last: 20, way: 5 }, 10_000, upTo(150))).toBeUndefined()
  })

  it('is asked for in one go once too little of it is known, to either side', () => {
    expect(ahead({ first: 0, last: 20, way: 5 }, 10_000, upTo(100))).toEqual({ offset: 100, limit: 200 })
    expect(ahead({ first: 5000, last: 5020, way: -5 }, 10_000, (index) => index >= 4950)).toEqual({ offset: 4700, limit: 250 })
  })

  it('ends where the list ends', () => {
    expect(ahead({ first: 40, last: 60, way: 5 }, 120, upTo(100))).toEqual({ offset: 100, limit: 50 })
    expect(ahead({ first: 40, last: 60, way: 5 }, 100, upTo(100))).toBeUndefined()
  })
})
