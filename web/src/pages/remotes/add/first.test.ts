import { expect, test } from 'vitest'
import type { Remote } from '~/api/types'
import { firstLook } from './first'

const remote = (link: object, counts: object, coverage: object[] = []) =>
  ({ link: { up: true, needs_person: false, ...link }, counts, coverage }) as unknown as Remote

test('the first inventory is told as it comes, and never as done before it is', () => {
  expect(firstLook(remote({ up: false }, {})).busy).toBe(true)
  expect(firstLook(remote({ up: false, needs_person: true }, {})).busy).toBe(false)
  expect(firstLook(remote({}, { nodes: null, guests: null })).busy).toBe(true)
  const read = { last_success: '2026-01-01T00:00:00Z', last_error: null }
  const open = { last_success: null, last_error: null }
  const failed = { last_success: null, last_error: {} }
  expect(firstLook(remote({}, { nodes: 1, guests: 0 }, [read, open]))).toMatchObject({ busy: true })
  expect(firstLook(remote({}, { nodes: 1, guests: 0 }, [read, read]))).toEqual({ busy: false, sentence: 'All of it was read.' })
  expect(firstLook(remote({}, { nodes: 1, guests: 0 }, [read, failed])).sentence).toMatch(/but for 1 kind/)
})
