/**
 * [useRecentRows]: lists whose rows the stream tells as a topic (tasks, operations). What is on screen is asked for as of any
 * list, and each row is shown as the stream has told it since.
 */
import { useMemo } from 'react'
import { useStreamLive } from '~/live/hooks'
import { useSoon } from '~/live/useSoon'
import { type Lists, type LiveSource, useLiveRows } from './sources'

/** When rows come or go, what is on screen is asked for again within this time, and at most that often. */
const SOON_MS = 2000

/** What has to be asked for when it changes: which rows there are, and with a query, which fit it, however they stand. */
export function signOf(told: ReadonlyMap<string, unknown> | undefined, q: string): unknown {
  if (told === undefined || q !== '') return told
  return [...told.keys()].join(' ')
}

/** `told`: rows as the stream tells them. `older`: whether the one is from before the other. */
export function useRecentRows<K extends 'tasks' | 'operations'>(
  of: K,
  q: string,
  sort: string,
  told: ReadonlyMap<string, Lists[K]> | undefined,
  older: (one: Lists[K], than: Lists[K]) => boolean,
): LiveSource<Lists[K]> {
  const source = useLiveRows(of, q, sort)
  // What was told before a break is no news.
  const live = useStreamLive() ? told : undefined
  useSoon(signOf(live, q), source.refresh, SOON_MS)
  return useMemo(
    () => ({
      ...source,
      row: (id) => {
        const asked = source.row(id)
        const now = live?.get(id)
        return now === undefined || (asked !== undefined && older(now, asked)) ? asked : now
      },
    }),
    [source, live, older],
  )
}
