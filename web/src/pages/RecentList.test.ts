import { expect, it } from 'vitest'
import { isNone } from './RecentList'

it('says that no task has run only where all remotes were looked at, and can be', () => {
  expect(isNone('tasks', { total: 2, up: 2, never_listed: 0 })).toBe(true)
  expect(isNone('tasks', { total: 2, up: 2, never_listed: 1 })).toBe(false)
  expect(isNone('tasks', { total: 2, up: 1, never_listed: 0 })).toBe(false)
  expect(isNone('tasks', undefined)).toBe(false)
})

it('knows of what was asked of Muster whatever remotes do', () => {
  expect(isNone('operations', { total: 2, up: 0, never_listed: 2 })).toBe(true)
  expect(isNone('operations', { total: 0, up: 0, never_listed: 0 })).toBe(false)
})
