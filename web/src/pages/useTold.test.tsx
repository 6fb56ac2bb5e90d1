import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, renderHook, waitFor } from '@testing-library/react'
import type { ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Operation, Task } from '~/api/types'
import { olderOperation, olderTask, useTold } from './useTold'

const stream = vi.hoisted(() => ({ live: true }))
vi.mock('~/live/hooks', () => ({ useStreamLive: () => stream.live }))

interface Thing {
  at: number
  ended: boolean
}

const RUNS: Thing = { at: 1, ended: false }
const ENDED: Thing = { at: 2, ended: true }

function shown(answers: () => Thing) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  const ask = vi.fn(() => Promise.resolve(answers()))
  const { result, rerender } = renderHook(
    ({ told }: { told: Thing | undefined }) =>
      useTold<Thing>({ key: ['thing'], ask, told: () => told, older: (one, than) => one.at < than.at, open: (thing) => !thing.ended }),
    {
      initialProps: { told: undefined as Thing | undefined },
      wrapper: ({ children }: { children: ReactNode }) => <QueryClientProvider client={queries}>{children}</QueryClientProvider>,
    },
  )
  return { result, ask, tell: (told: Thing | undefined) => rerender({ told }) }
}

describe('a thing that is asked for and told', () => {
  beforeEach(() => {
    stream.live = true
    vi.useFakeTimers({ shouldAdvanceTime: true })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('stays as it was told when the stream has begun anew and says nothing of it', async () => {
    const { result, tell } = shown(() => RUNS)
    await waitFor(() => expect(result.current.data).toEqual(RUNS))
    tell(ENDED)
    await waitFor(() => expect(result.current.data).toEqual(ENDED))
    tell(undefined)
    expect(result.current.data).toEqual(ENDED)
  })

  it('is asked for again while it may change and nobody tells it, and no longer than that', async () => {
    let answer = RUNS
    const { result, ask } = shown(() => answer)
    await waitFor(() => expect(result.current.data).toEqual(RUNS))
    answer = ENDED
    await act(() => vi.advanceTimersByTimeAsync(6000))
    expect(result.current.data).toEqual(ENDED)
    const asked = ask.mock.calls.length
    await act(() => vi.advanceTimersByTimeAsync(20_000))
    expect(ask).toHaveBeenCalledTimes(asked)
  })

  it('is not taken back to what the stream told before it was cut', async () => {
    let answer = RUNS
    const { result, tell } = shown(() => answer)
    await waitFor(() => expect(result.current.data).toEqual(RUNS))
    tell({ ...RUNS })
    stream.live = false
    tell({ ...RUNS })
    answer = ENDED
    await act(() => vi.advanceTimersByTimeAsync(6000))
    expect(result.current.data).toEqual(ENDED)
    stream.live = true
    tell({ ...RUNS })
    await act(() => vi.advanceTimersByTimeAsync(100))
    expect(result.current.data).toEqual(ENDED)
  })
})

it('knows which of two is from before', () => {
  const task = (outcome: string) => ({ outcome }) as Task
  expect(olderTask(task('running'), task('failed'))).toBe(true)
  expect(olderTask(task('running'), task('unknown'))).toBe(false)
  expect(olderTask(task('ok'), task('running'))).toBe(false)
  const operation = (since: string) => ({ since }) as Operation
  expect(olderOperation(operation('2026-01-01T00:00:00Z'), operation('2026-01-01T00:00:00.5Z'))).toBe(true)
  expect(olderOperation(operation('2026-01-01T00:00:01Z'), operation('2026-01-01T00:00:01Z'))).toBe(false)
})
