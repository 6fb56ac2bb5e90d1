import { expect, test } from 'vitest'
import type { Operation } from '~/api/types'
import { asks } from './decide'

const operation = (more: object) => ({ state: 'outcome_unknown', final: false, ...more }) as Operation

test('several tasks are put to a person', () => {
  expect(asks(operation({ final: true, detail: { why: 'candidates', tasks: ['a', 'b'] } }))).toMatchObject({ tasks: ['a', 'b'], none: 'None of them' })
})

test.each(['node', 'ha'])('the watching of what waits for %s can be ended', (why) => {
  expect(asks(operation({ detail: { why, node: 'pve1' } }))).toMatchObject({ tasks: [], none: 'Stop watching' })
})

test.each([
  { detail: { why: 'lost' } },
  { detail: { why: 'given_up', by: 'anna' }, final: true },
  { state: 'running' },
  { state: 'failed', final: true, detail: { why: 'ha' } },
])('nothing is asked where Muster finds out by itself, or it is over: %o', (more) => {
  expect(asks(operation(more))).toBeUndefined()
})
