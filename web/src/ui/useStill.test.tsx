import { act, renderHook } from '@testing-library/react'
import type { FocusEvent } from 'react'
import { expect, test } from 'vitest'
import { still, useStill } from './useStill'

const id = (item: string) => item.charAt(0)
const shown = (lines: { item: string; over: boolean }[]) => lines.map(({ item, over }) => (over ? `(${item})` : item)).join(' ')

test('what is over stays and says so, what has changed is shown anew, what is new waits', () => {
  const { lines, waiting } = still(['a', 'b'], ['n', 'c', 'b2'], id)
  expect(shown(lines)).toBe('(a) b2')
  expect(waiting).toBe(2)
})

test('a list that grows at its end takes older lines, and lets newer ones wait', () => {
  const { lines, waiting } = still(['c', 'b'], ['e', 'd', 'c', 'b', 'a'], id, true)
  expect(shown(lines)).toBe('c b a')
  expect(waiting).toBe(2)
})

const focus = (visible: boolean) => ({ target: { matches: () => visible } }) as unknown as FocusEvent<HTMLElement>
const blur = () => ({ currentTarget: { contains: () => false }, relatedTarget: null }) as unknown as FocusEvent<HTMLElement>

test('it is let go when neither the pointer nor the keyboard is there', () => {
  const { result, rerender } = renderHook(({ latest }) => useStill(latest, id), { initialProps: { latest: ['a'] } })
  const now = () => `${shown(result.current.lines)}, ${result.current.waiting} wait`
  act(() => result.current.around.onPointerEnter())
  act(() => result.current.around.onFocus(focus(true)))
  rerender({ latest: ['b', 'a'] })
  expect(now()).toBe('a, 1 wait')
  act(() => result.current.around.onPointerLeave())
  expect(now()).toBe('a, 1 wait')
  act(() => result.current.around.onBlur(blur()))
  expect(now()).toBe('b a, 0 wait')
})

test('a press with the pointer holds nothing once that has gone', () => {
  const { result, rerender } = renderHook(({ latest }) => useStill(latest, id), { initialProps: { latest: ['a'] } })
  act(() => result.current.around.onPointerEnter())
  act(() => result.current.around.onFocus(focus(false)))
  act(() => result.current.around.onPointerLeave())
  rerender({ latest: ['b', 'a'] })
  expect(shown(result.current.lines)).toBe('b a')
})

test('what waits can be shown without going away, and another list is not held', () => {
  const { result, rerender } = renderHook(({ latest, of }) => useStill(latest, id, { of }), { initialProps: { latest: ['a'], of: 'x' } })
  act(() => result.current.around.onPointerEnter())
  rerender({ latest: ['b', 'a'], of: 'x' })
  act(() => result.current.show())
  expect(shown(result.current.lines)).toBe('b a')
  rerender({ latest: ['c'], of: 'y' })
  expect(shown(result.current.lines)).toBe('c')
})
