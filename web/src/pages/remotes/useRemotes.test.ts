import { expect, test } from 'vitest'
import type { LinkRow } from '~/api/types'
import { signOf } from './useRemotes'

const links = (...rows: [number, string][]) =>
  new Map(rows.map(([id, state]) => [id, { id, name: `r${id}`, link: { state } } as unknown as LinkRow]))

test('a link that moves changes what is shown, not which remotes there are', () => {
  expect(signOf(links([1, 'connected'], [2, 'connected']), '')).toBe(signOf(links([2, 'backing_off'], [1, 'connected']), ''))
  expect(signOf(links([1, 'connected']), '')).not.toBe(signOf(links([1, 'connected'], [2, 'connected']), ''))
})

test('with a filter it may change which fit', () => {
  expect(signOf(links([1, 'connected']), 'link:connected')).not.toBe(signOf(links([1, 'backing_off']), 'link:connected'))
  expect(signOf(undefined, '')).toBeUndefined()
})
