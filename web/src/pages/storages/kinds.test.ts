import { expect, test } from 'vitest'
import { Refusal } from '~/api/client'
import type { Cause, Schemas } from '~/api/types'
import { guestsText, unlisted } from './kinds'

const cause = { code: 'privilege_missing', sentence: 'the account lacks a privilege', remedy: '' } as Cause
const place = (more: object) => ({ node: 'pve1', shared: true, ...more }) as unknown as Schemas['StorageContents']

test('what was listed leaves nothing open', () => {
  expect(unlisted({ contents: [place({ seen: { value: {}, at: '', through: '' } })] }, null)).toBeUndefined()
  expect(unlisted({}, undefined)).toBeUndefined()
})

test('that nothing is there is never said of what could not be listed', () => {
  expect(unlisted({ contents: [place({ error: cause })] }, null)).toBe('What lies on pve1 was never listed: the account lacks a privilege.')
  const refusal = new Refusal({ type: 'urn:muster:console:no_answer', title: 'Muster does not answer', status: 0 })
  expect(unlisted({}, refusal)).toBe('What lies there could not be listed: Muster does not answer.')
  expect(unlisted({ guests_unknown: 2, guests_error: cause }, null)).toBe('Not known of 2 more guests: the account lacks a privilege.')
})

test('how many guests there are is no number where nobody knows, and a least one where there may be more', () => {
  const unread = { contents: [place({ error: cause })] }
  expect(guestsText({ guests_total: 0 }, null)).toBe(' (0)')
  expect(guestsText({ ...unread, guests_total: 0 }, null)).toBe('')
  expect(guestsText({ ...unread, guests_total: 3 }, null)).toBe(' (≥ 3)')
  expect(guestsText({}, null)).toBe('')
})
