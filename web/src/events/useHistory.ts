/** A history, newest first: pages of what was kept, and before them what the live stream tells. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { FleetEvent } from '~/api/types'
import { useLiveStatus, useNewEvents } from '~/live/hooks'

const PAGE = 100

/** What the history is of. */
export interface HistoryOf {
  /** Only of this remote, by number. */
  remote?: number | undefined
  /** Only of this guest of it. */
  vmid?: number | undefined
  /** Only of this kind. */
  kind?: string | undefined
}

/** Whether an event belongs to a history. */
export function belongs(event: FleetEvent, of: HistoryOf): boolean {
  return (
    (of.remote === undefined || event.remote_id === of.remote) &&
    (of.vmid === undefined || event.vmid === of.vmid) &&
    (of.kind === undefined || event.name === of.kind)
  )
}

/** Newest first, each once. */
export function joined(fresh: readonly FleetEvent[], kept: readonly FleetEvent[]): FleetEvent[] {
  const seen = new Set<number>()
  return [...fresh, ...kept]
    .filter((event) => !seen.has(event.id) && seen.add(event.id))
    .sort((a, b) => b.id - a.id)
}

export function useHistory(of: HistoryOf) {
  const queries = useQueryClient()
  const status = useLiveStatus()
  const fresh = useNewEvents()
  const { remote, vmid, kind } = of
  const key = useMemo(() => ['events', remote, vmid, kind], [remote, vmid, kind])
  const pages = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/events', {
          params: { query: { remote: remote?.toString(), vmid, kind, before: pageParam, limit: PAGE } },
          signal,
        }),
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  })
  // A stream that was cut may have missed something: the history tells it.
  const { state, since } = status
  useEffect(() => {
    if (state === 'live') void queries.invalidateQueries({ queryKey: key })
  }, [queries, key, state, since])
  const events = useMemo(
    () =>
      joined(
        fresh.filter((event) => belongs(event, { remote, vmid, kind })),
        (pages.data?.pages ?? []).flatMap((page) => page.items),
      ),
    [fresh, pages.data, remote, vmid, kind],
  )
  return { events, pages }
}
