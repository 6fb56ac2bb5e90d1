import { describe, expect, it } from 'vitest'
import { detailsOf, isOutdated } from './Broken'

describe('a page that could not be shown', () => {
  it.each([
    ['Failed to fetch dynamically imported module: https://muster/assets/x.js', true],
    ['error loading dynamically imported module', true],
    ['Importing a module script failed.', true],
    ['x is not a function', false],
  ])('because of: %s', (message, wanted) => {
    expect(isOutdated(new TypeError(message))).toBe(wanted)
  })

  it('is only outdated when the browser says so', () => {
    expect(isOutdated(new Error('dynamically imported'))).toBe(false)
    expect(isOutdated('dynamically imported')).toBe(false)
  })

  it('tells whoever is to mend it what is needed, and nothing that was searched for', () => {
    history.replaceState(null, '', '/guests?q=name%3Asecret')
    const told = detailsOf(new Error('no such row'), '\n    at GuestsPage', '0.1.0')
    expect(told).toMatch(/^Muster 0\.1\.0, \/guests, \d{4}-/)
    expect(told).toContain('no such row')
    expect(told).toContain('at GuestsPage')
    expect(told).not.toContain('secret')
    expect(detailsOf('odd', undefined, undefined)).toContain('odd')
  })
})
