import { expect, it } from 'vitest'
import { signOf } from './recent'

it('asks again when rows come or go, not for each word that one of them says', () => {
  const told = new Map([['a', { n: 1 }], ['b', { n: 1 }]])
  const ticked = new Map([['a', { n: 2 }], ['b', { n: 1 }]])
  expect(signOf(ticked, '')).toBe(signOf(told, ''))
  expect(signOf(new Map([...told, ['c', { n: 1 }]]), '')).not.toBe(signOf(told, ''))
  expect(signOf(undefined, '')).toBeUndefined()
})

it('asks again for whatever changes where a query may fit it from now on', () => {
  const told = new Map([['a', { state: 'running' }]])
  expect(signOf(new Map([['a', { state: 'failed' }]]), 'status:failed')).not.toBe(signOf(told, 'status:failed'))
})
