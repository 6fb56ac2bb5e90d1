import { describe, expect, it } from 'vitest'
import { Refusal } from '~/api/client'
import { passes, pauseAfter } from './again'

describe('asking again', () => {
  it('begins soon and becomes seldom', () => {
    expect([1, 2, 3, 4, 40].map(pauseAfter)).toEqual([5000, 10_000, 20_000, 30_000, 30_000])
  })

  it('is for what may pass, not for what was refused', () => {
    const refused = (status: number) => new Refusal({ type: 'urn:muster:x', title: 'No', status })
    expect([0, 408, 429, 500, 502, 503].map((status) => passes(refused(status)))).toEqual(Array(6).fill(true))
    expect([401, 403, 404, 422].map((status) => passes(refused(status)))).toEqual(Array(4).fill(false))
    expect(passes(new Error('who knows'))).toBe(true)
  })
})
