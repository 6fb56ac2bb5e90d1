import { expect, test } from 'vitest'
import type { Task } from '~/api/types'
import { together } from './together'

const task = (id: string, outcome: string, second = 0) => ({ id, outcome, started: `2026-01-01T00:00:0${second}Z` }) as Task
const said = (tasks: readonly Task[]) => tasks.map(({ id, outcome }) => `${id} ${outcome}`)

test('a task is told as the stream tells it, and one that the answer does not have yet is put in, newest first', () => {
  expect(said(together([task('a', 'running')], [task('a', 'ok'), task('b', 'running', 1)]))).toEqual(['b running', 'a ok'])
})

test('a task that has ended by the answer does not run on because the stream was cut before', () => {
  expect(said(together([task('a', 'ok')], [task('a', 'running')]))).toEqual(['a ok'])
})
