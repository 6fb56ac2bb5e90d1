import { describe, expect, it } from 'vitest'
import { Refusal } from '~/api/client'
import { verdictOf } from './tries'

const refusal = (code: string, after?: number) => new Refusal({ type: `urn:muster:${code}`, title: '', status: 401 }, after)

describe('a refused sign-in', () => {
  it.each([
    [refusal('wrong_password'), { kind: 'password' }],
    [refusal('second_factor'), { kind: 'code', wrong: false }],
    [refusal('wrong_code'), { kind: 'code', wrong: true }],
    [refusal('second_factor_unreadable'), { kind: 'code', wrong: false, unreadable: true }],
    [refusal('too_many_tries', 12), { kind: 'wait', seconds: 12 }],
    [refusal('too_many_tries', 0), { kind: 'wait', seconds: 1 }],
    [refusal('too_many_tries'), { kind: 'wait', seconds: 30 }],
    [refusal('store'), { kind: 'other' }],
    [new Error('no'), { kind: 'other' }],
  ])('%s asks for %j', (error, wanted) => {
    expect(verdictOf(error)).toEqual(wanted)
  })
})
