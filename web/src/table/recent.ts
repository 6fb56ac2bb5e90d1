/** Lists that the stream tells as topics (tasks, operations): asked for with a query, each row as the stream tells it since. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import type { Counts } from '~/api/types'

/** So many rows of a list are shown; a query finds the others. */
export const MOST_RECENT = 1000

/** What the stream tells several times a second is asked for anew this often at most. */
const PAUSE_MS = 1000

export interface Recent<R> {
  rows: readonly R[] | undefined
  total: number | undefined
  counts: Counts | undefined
  error: unknown
  pending: boolean
  again: () => void
}

/** Rows of a list, newest as told. Membership follows within a second; what a row says, at once. */
export function useRecent<R extends { id: string }>(
  key: readonly unknown[],
  ask: (signal: AbortSignal) => Promise<{ items: R[]; total: number; counts?: Counts }>,
  told: ReadonlyMap<string, R> | undefined,
): Recent<R> {
  const page = useQuery({ queryKey: key, queryFn: ({ signal }) => ask(signal), placeholderData: keepPreviousData })
  const { refetch } = page
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    if (told === undefined || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      void refetch()
    }, PAUSE_MS)
  }, [told, refetch])
  useEffect(() => () => clearTimeout(timer.current), [])
  const rows = useMemo(() => page.data?.items.map((row) => told?.get(row.id) ?? row), [page.data, told])
  return {
    rows,
    total: page.data?.total,
    counts: page.data?.counts,
    error: page.error,
    pending: page.isPlaceholderData,
    again: () => void refetch(),
  }
}
