import { expect, test } from 'vitest'
import { mayGrow, stepped } from './useLog'

const empty = stepped({ lines: ['x'], outcome: 'ok', error: 1, begun: true }, { type: 'new' })

test('what is read comes behind what was read, and what comes twice stands once', () => {
  const first = stepped(empty, { type: 'read', start: 0, lines: ['a', 'b'], outcome: 'running' })
  const second = stepped(first, { type: 'read', start: 1, lines: ['b', 'c'], outcome: 'ok' })
  expect(second.lines).toEqual(['a', 'b', 'c'])
  expect([mayGrow(first), mayGrow(second)]).toEqual([true, false])
})

test('a failure takes nothing away, and is over with the next lines', () => {
  const first = stepped(empty, { type: 'read', start: 0, lines: ['a'], outcome: 'running' })
  const failed = stepped(first, { type: 'failed', error: 'no answer' })
  expect(failed).toMatchObject({ lines: ['a'], error: 'no answer' })
  expect(stepped(failed, { type: 'read', start: 1, lines: ['b'], outcome: 'ok' })).toMatchObject({ lines: ['a', 'b'], error: undefined })
})
