import { describe, expect, it } from 'vitest'
import { keptFor } from './kept'

describe('how long something is kept', () => {
  it.each([
    ['events', { name: 'events', days: 180, seconds: 180 * 86_400 }, '180 d'],
    ['audit', { name: 'audit', days: 365, seconds: 365 * 86_400 }, '365 d, once it was exported'],
    ['operations', { name: 'operations', days: null, seconds: null }, 'ever'],
    ['users', undefined, 'as long as it is needed'],
  ])('%s: %j', (name, kept, wanted) => {
    expect(keptFor(name, kept)).toBe(wanted)
  })
})
