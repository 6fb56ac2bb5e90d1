import { expect, test } from 'vitest'
import { Refusal } from '~/api/client'
import type { Operation } from '~/api/types'
import type { Followed } from './follow'
import { mayAskAgain, resultOf } from './results'

const target = { remote: '1', vmid: 101, name: 'web' }
const problem = { type: 'urn:muster:x', title: 'not read', status: 500 }
const at = (state: string, final = false) => ({ id: '9', state, final }) as unknown as Operation
const known = (...operations: Operation[]): Followed => ({ operations: new Map(operations.map((one) => [one.id, one])), lost: new Map() })
const gone: Followed = { ...known(at('running')), lost: new Map([['9', new Refusal({ ...problem, title: 'gone' })]]) }

test('what was taken on and could not be read is not refused: nobody knows how it stands until it is told', () => {
  const item = { target, id: '9', operation: null, problem }
  const untold = resultOf(item, known())
  expect(untold).toMatchObject({ fate: 'untold', problem, over: false })
  expect(mayAskAgain(untold)).toBe(false)
  expect(resultOf(item, known(at('running')))).toMatchObject({ fate: 'goes_on', problem: null, over: false })
  expect(mayAskAgain(resultOf(item, known(at('failed', true))))).toBe(true)
})

test('what is told no more has not ended, and is not waited for', () => {
  const item = { target, id: '9', operation: at('sent'), problem: null }
  expect(resultOf(item, gone)).toMatchObject({ fate: 'untold', over: true, problem: { title: 'gone' } })
  expect(resultOf(item, { ...gone, operations: known(at('succeeded', true)).operations })).toMatchObject({ fate: 'ended', problem: null })
})

test('what was refused may be asked for again', () => {
  const refused = resultOf({ target, id: null, operation: null, problem }, known())
  expect(refused).toMatchObject({ fate: 'refused', over: true })
  expect(mayAskAgain(refused)).toBe(true)
})
