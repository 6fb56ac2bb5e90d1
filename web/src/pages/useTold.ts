/** One thing that is asked for and that the stream may tell: shown as whichever is newer says it, and never as it was before. */
import { type QueryKey, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useEffect } from 'react'
import type { Operation, Task } from '~/api/types'
import { useStreamLive } from '~/live/hooks'

/** What may still change, and is not told, is asked for this often. */
const AGAIN_MS = 5000

export interface ToldOf<T> {
  key: QueryKey
  ask: (signal: AbortSignal) => Promise<T>
  /** As the stream has told it last; `undefined`: it tells nothing of it. */
  told: (known: T | undefined) => T | undefined
  /** Whether the one is from before the other. */
  older: (one: T, than: T) => boolean
  /** Whether it may still become another. */
  open: (known: T) => boolean
}

export function useTold<T>({ key, ask, told, older, open }: ToldOf<T>): UseQueryResult<T> {
  const queries = useQueryClient()
  const live = useStreamLive()
  const newest = (had: T | undefined, now: T) => (had !== undefined && older(now, had) ? had : now)
  // What was told before a break is no news.
  const telling = (known: T | undefined) => (live ? told(known) : undefined)
  const query = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const now = await ask(signal)
      return newest(queries.getQueryData<T>(key), now)
    },
    refetchInterval: ({ state: { data, error } }) =>
      telling(data) === undefined && (error !== null || (data !== undefined && open(data))) ? AGAIN_MS : false,
  })
  const row = telling(query.data)
  useEffect(() => {
    if (row !== undefined) queries.setQueryData<T>(key, (had) => newest(had, row))
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a row is put in once, when it is told
  }, [row, queries])
  return query
}

/** Whether a task is told from before it ended. One of unknown outcome may turn out to run. */
export function olderTask(one: Task, than: Task): boolean {
  return one.outcome === 'running' && than.outcome !== 'running' && than.outcome !== 'unknown'
}

/** Whether an operation is told as it stood before. */
export function olderOperation(one: Operation, than: Operation): boolean {
  return Date.parse(one.since) < Date.parse(than.since)
}
