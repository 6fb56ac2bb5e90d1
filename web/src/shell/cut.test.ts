import { expect, test } from 'vitest'
import { saidOf } from './cut'

const cut = { state: 'cut', since: 10_000, why: 'Muster does not answer', nextTry: 25_000 } as const

test('a break is told with its age, cause, and what is done about it', () => {
  expect(saidOf(cut, 20_000)).toEqual({
    what: 'Live updates stopped 10 s ago',
    why: 'Muster does not answer',
    then: 'What you see is from then. Next try in 5 s.',
  })
  expect(saidOf(cut, 26_000)?.then).toBe('What you see is from then. Trying now…')
})

test('one that is over at once is not worth a word', () => {
  expect(saidOf(cut, 11_000)).toBeUndefined()
  expect(saidOf({ state: 'live', since: 10_000 }, 99_000)).toBeUndefined()
})

test('a stream that never begins is told too', () => {
  expect(saidOf({ state: 'connecting', since: 10_000 }, 14_000)).toBeUndefined()
  expect(saidOf({ state: 'connecting', since: 10_000 }, 22_000)?.what).toBe('Live updates have not begun for 12 s')
})
