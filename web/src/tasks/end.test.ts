import { expect, test } from 'vitest'
import { whyNotEnd } from './end'

test('what runs may be ended by who may; of what is unknown it is not said that it has ended', () => {
  expect(whyNotEnd({ outcome: 'running' }, true)).toBeUndefined()
  expect(whyNotEnd({ outcome: 'running' }, false)).toMatch(/role operator/)
  expect(whyNotEnd({ outcome: 'failed' }, true)).toBe('It has ended.')
  expect(whyNotEnd({ outcome: 'unknown' }, true)).toMatch(/Nobody knows/)
})
