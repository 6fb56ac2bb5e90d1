import { describe, expect, it } from 'vitest'
import type { Schemas } from '~/api/types'
import { planned } from './server'

function item(over: Record<string, unknown>): Schemas['PlanItem'] {
  return { remote: 'home', vmid: 101, availability: 'available', ...over } as unknown as Schemas['PlanItem']
}

describe('an item of the plan', () => {
  it('keeps a stale state as stale, with its age and cause', () => {
    const made = planned(item({ state: 'out of reach', freshness: 'stale', observed_at: '2026-01-01T00:00:00Z', stale_why: 'timed out' }), undefined)
    expect(made).toMatchObject({ word: 'out of reach', observedAt: '2026-01-01T00:00:00Z', why: 'timed out' })
    expect(made.freshness).toMatchObject({ freshness: 'stale', since: '2026-01-01T00:00:00Z' })
  })

  it('is unknown, not stopped, where nothing is known', () => {
    const made = planned(item({ availability: 'disabled', reason: 'There is no such guest.', remedy: '' }), { remote: '1', vmid: 101, name: 'web' })
    expect(made).toMatchObject({ word: 'unknown', freshness: null, name: 'web', showAs: null })
    expect(made.availability).toMatchObject({ availability: 'disabled', reason: 'There is no such guest.' })
  })
})
