import { expect, test } from 'vitest'
import { lastSeen, took } from './time'

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`
const task = (outcome: string, ended?: string) => ({ outcome, started: at(10), ended: ended ?? null })

test('a task that has ended took what it took, one that runs has no end but the one that is handed in', () => {
  expect(took(task('ok', at(15)), Date.parse(at(59)))).toBe(5)
  expect(took(task('running'))).toBeUndefined()
  expect(took(task('running'), Date.parse(at(40)))).toBe(30)
})

test('what nobody knows, and what two clocks disagree about, is no span', () => {
  expect(took(task('unknown'), Date.parse(at(40)))).toBeUndefined()
  expect(took(task('ok', at(9)))).toBeUndefined()
})

test('what runs on a remote that is not reached ran when that was reached last', () => {
  const down = { up: false, last_success: at(30) }
  expect(lastSeen(true, down)).toEqual({ at: Date.parse(at(30)) })
  expect(lastSeen(true, { up: false, last_success: null })).toEqual({ at: undefined })
  expect(lastSeen(true, { ...down, up: true })).toBeUndefined()
  expect(lastSeen(true, undefined)).toBeUndefined()
  expect(lastSeen(false, down)).toBeUndefined()
})
