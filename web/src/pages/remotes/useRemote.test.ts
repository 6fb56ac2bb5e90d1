import { expect, test } from 'vitest'
import { Refusal } from '~/api/client'
import { Wish } from './useRemote'

const refusal = (code: string, status: number) => new Refusal({ type: `urn:muster:${code}`, title: code, status })

test('a wish of which nobody knows whether it was done keeps its key', () => {
  const wish = new Wish()
  const first = wish.key({ even: false })
  wish.ended(refusal('console:no_answer', 0))
  expect(wish.key({ even: false })).toBe(first)
  wish.ended(refusal('in_progress', 409))
  expect(wish.key({ even: false })).toBe(first)
})

test('another wish, or the same one after an answer, has another key', () => {
  const wish = new Wish()
  const first = wish.key({ even: false })
  expect(wish.key({ even: true })).not.toBe(first)
  const second = wish.key({ even: true })
  wish.ended(refusal('open_operations', 409))
  const third = wish.key({ even: true })
  expect(third).not.toBe(second)
  wish.ended()
  expect(wish.key({ even: true })).not.toBe(third)
})
