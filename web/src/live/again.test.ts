import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { expect, test, vi } from 'vitest'
import { askAgain } from './again'
import type { Status } from './protocol'

function stream() {
  let status: Status = { state: 'connecting', since: 0 }
  const listeners = new Set<() => void>()
  return {
    get status() {
      return status
    },
    subscribe: (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    be(state: Status['state']) {
      status = state === 'cut' ? { state, since: 0, why: '', nextTry: undefined } : { state, since: 0 }
      listeners.forEach((tell) => tell())
    },
  }
}

test('what failed while the stream was cut is there again once it is mended', async () => {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  const live = stream()
  askAgain(live, queries)
  const ask = vi.fn((): Promise<string> => Promise.reject(new Error('down')))
  const shown = new QueryObserver(queries, { queryKey: ['guest'], queryFn: ask })
  const hidden = vi.fn(() => Promise.resolve('old'))
  await queries.fetchQuery({ queryKey: ['left'], queryFn: hidden })
  const end = shown.subscribe(() => undefined)
  live.be('cut')
  await vi.waitFor(() => expect(shown.getCurrentResult().isError).toBe(true))
  ask.mockImplementation(() => Promise.resolve('there'))
  live.be('live')
  live.be('live')
  await vi.waitFor(() => expect(shown.getCurrentResult().data).toBe('there'))
  expect(ask).toHaveBeenCalledTimes(2)
  expect(hidden).toHaveBeenCalledTimes(1)
  end()
})

test('a stream that begins says nothing of what was just asked', () => {
  const live = stream()
  const queries = { invalidateQueries: vi.fn(() => Promise.resolve()) }
  askAgain(live, queries)
  live.be('connecting')
  live.be('live')
  // Another person has signed in since.
  live.be('cut')
  live.be('connecting')
  live.be('live')
  expect(queries.invalidateQueries).not.toHaveBeenCalled()
})
