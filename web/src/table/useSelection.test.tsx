import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, renderHook } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { only } from './selection'
import { useSelection } from './useSelection'

afterEach(cleanup)

function shown(queries: QueryClient, q: string) {
  return renderHook((asked: string) => useSelection<{ id: string }>('guests', asked), {
    initialProps: q,
    wrapper: ({ children }) => <QueryClientProvider client={queries}>{children}</QueryClientProvider>,
  })
}

const idsOf = (hook: ReturnType<typeof shown>) => [...hook.result.current[0].keys()]

it('is there again after a look at something else', () => {
  const queries = new QueryClient()
  const list = shown(queries, 'cpu>80%')
  act(() => list.result.current[1](only([{ id: '7/1' }])))
  expect(idsOf(list)).toEqual(['7/1'])
  list.unmount()
  expect(idsOf(shown(queries, 'cpu>80%'))).toEqual(['7/1'])
})

it('is of what was asked, and of nobody who signs in after', () => {
  const queries = new QueryClient()
  const list = shown(queries, 'a')
  act(() => list.result.current[1](only([{ id: '7/1' }])))
  list.rerender('b')
  expect(idsOf(list)).toEqual([])
  list.unmount()
  queries.clear()
  expect(idsOf(shown(queries, 'a'))).toEqual([])
})
