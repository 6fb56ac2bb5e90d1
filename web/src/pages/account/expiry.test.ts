import { describe, expect, it } from 'vitest'
import { expiryAt } from './expiry'

const now = Date.parse('2026-03-01T12:00:00Z')

describe('the end of a token', () => {
  it('is so many days from now, or never', () => {
    expect(expiryAt('30', '', now)).toBe('2026-03-31T12:00:00.000Z')
    expect(expiryAt('never', '', now)).toBeNull()
  })

  it('is the end of a day where the person is', () => {
    const at = new Date(expiryAt('date', '2026-04-02', now) ?? '')
    expect([at.getFullYear(), at.getMonth(), at.getDate(), at.getHours()]).toEqual([2026, 3, 2, 23])
  })

  it('is to come', () => {
    expect(expiryAt('date', '2026-02-01', now)).toBeUndefined()
    expect(expiryAt('date', '', now)).toBeUndefined()
    expect(expiryAt('date', 'tomorrow', now)).toBeUndefined()
  })
})
