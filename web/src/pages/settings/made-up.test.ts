import { describe, expect, it } from 'vitest'
import { madeUp } from './made-up'

describe('a password that is made up', () => {
  it('can be read out, and is another one each time', () => {
    const made = new Set(Array.from({ length: 200 }, madeUp))
    expect(made.size).toBe(200)
    for (const one of made) expect(one).toMatch(/^([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}$/)
  })

  it('uses every letter', () => {
    const all = new Set(Array.from({ length: 400 }, madeUp).join('').replaceAll('-', ''))
    expect(all.size).toBe(31)
  })
})
