import { describe, expect, it } from 'vitest'
import { Refusal } from './client'
import { Once } from './once'

const refusal = (status: number) => new Refusal({ type: 'urn:muster:x', title: '', status })

describe('the key of a wish', () => {
  it('is the same while nobody knows whether it arrived', () => {
    const once = new Once()
    const key = once.keyFor({ name: 'ci' })
    once.ended(refusal(0))
    expect(once.keyFor({ name: 'ci' })).toBe(key)
  })

  it('is another one for another wish', () => {
    const once = new Once()
    const key = once.keyFor({ name: 'ci' })
    once.ended(refusal(0))
    expect(once.keyFor({ name: 'cd' })).not.toBe(key)
  })

  it('is another one after any answer: what was refused may be allowed by now', () => {
    const once = new Once()
    const key = once.keyFor({ name: 'ci' })
    once.ended(refusal(409))
    const second = once.keyFor({ name: 'ci' })
    expect(second).not.toBe(key)
    once.ended(undefined)
    expect(once.keyFor({ name: 'ci' })).not.toBe(second)
  })
})
