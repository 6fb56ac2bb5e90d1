import { expect, test } from 'vitest'
import { running } from './running'

test('what runs is a number where all of it is known', () => {
  expect(running(3, 0, 5)).toEqual({ figure: '3', wanting: undefined })
  expect(running(0, undefined, 5)).toEqual({ figure: undefined, wanting: undefined })
})

test('what nobody knows is not none', () => {
  expect(running(0, 2, 5)).toEqual({ figure: '?', wanting: 'of 2 of 5 remotes it is not known' })
  expect(running(1, 2, 5).figure).toBe('≥ 1')
  expect(running(0, 5, 5).wanting).toBe('of no remote it is known')
  expect(running(0, 1, 1).wanting).toBe('of the remote it is not known')
})
