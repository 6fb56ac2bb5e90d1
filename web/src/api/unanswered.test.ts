import { expect, test } from 'vitest'
import { Refusal, unanswered } from './client'

const refusal = (code: string, status: number) => new Refusal({ type: `urn:muster:${code}`, title: '', status })

test.each<[error: unknown, unknown: boolean]>([
  [refusal('console:no_answer', 0), true],
  [refusal('console:odd_answer', 502), true],
  [refusal('in_progress', 409), true],
  [new TypeError('x'), true],
  [refusal('console:odd_answer', 404), false],
  [refusal('disabled', 409), false],
  [refusal('store', 503), false],
])('of %o nobody knows whether it arrived: %s', (error, unknown) => {
  expect(unanswered(error)).toBe(unknown)
})
