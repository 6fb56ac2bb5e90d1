/** A history, newest first: pages of what was kept, into which is put what the live stream tells. */
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { FleetEvent, Schemas } from '~/api/types'
import { useNewEvents, useStreamLive } from '~/live/hooks'
import { live } from '~/live/live'
import type { LiveEvents } from '~/live/state'

const PAGE = 100
/** A first page that has grown longer than this is cut to half. No answer has more lines. */
const MOST = 1000
/** Asked for this often while the stream does not tell what happens. */
const AGAIN_MS = 10_000

/** What the history is of. */
export interface HistoryOf {
  /** Only of this remote, by number. */
  remote?: number | undefined
  /** Only of this guest of it. */
  vmid?: number | undefined
  /** Only of this kind. */
  kind?: string | undefined
}

/** A page, and of the first one also up to which event nothing is missing in it; absent where nobody knows. */
export type HistoryPage = Schemas['EventPage'] & { upTo?: number | undefined }
export type History = InfiniteData<HistoryPage, number | undefined>

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

/** The newest event up to which all was told. */
function upTo(told: LiveEvents): number {
  return told.items[0]?.id ?? told.after
}

/** The history with what was told since. `gap`: between the two something is missing, and it has to be read again. */
export function taken(history: History, told: LiveEvents, of: HistoryOf): History | 'gap' {
  const [first, ...older] = history.pages
  if (first?.upTo === undefined || first.upTo < told.after) return 'gap'
  const had = first.upTo
  if (upTo(told) <= had) return history
  const fresh = told.items.filter((event) => event.id > had && belongs(event, of))
  const pages = [{ ...first, items: joined(fresh, first.items), upTo: upTo(told) }, ...older]
  return bounded({ ...history, pages })
}

/** What was told is not kept without end: older lines are left to be asked for. */
function bounded(history: History): History {
  const [first] = history.pages
  if (!first || first.items.length <= MOST) return history
  const items = first.items.slice(0, MOST / 2)
  return { pages: [{ ...first, items, next: items.at(-1)?.id ?? null }], pageParams: [undefined] }
}

export function useHistory(of: HistoryOf) {
  const queries = useQueryClient()
  const told = useNewEvents()
  const proven = useStreamLive()
  const { remote, vmid, kind } = of
  const key = useMemo(() => ['events', remote, vmid, kind], [remote, vmid, kind])
  const missing = (history: History | undefined) =>
    history !== undefined && told !== undefined && taken(history, told, { remote, vmid, kind }) === 'gap'
  const pages = useInfiniteQuery<HistoryPage, Error, History, typeof key, number | undefined>({
    queryKey: key,
    queryFn: async ({ pageParam, signal }): Promise<HistoryPage> => {
      // Whatever was told before the question is in the answer.
      const before = live.state.events
      // Lines that are shown stay when they are asked for again.
      const held = pageParam === undefined ? (queries.getQueryData<History>(key)?.pages[0]?.items.length ?? 0) : 0
      const page = await unwrap(
        api.GET('/api/v1/events', {
          params: { query: { remote: remote?.toString(), vmid, kind, before: pageParam, limit: Math.max(PAGE, held) } },
          signal,
        }),
      )
      return { ...page, upTo: before && upTo(before) }
    },
    initialPageParam: undefined,
    getNextPageParam: (page) => page.next ?? undefined,
    staleTime: Infinity,
    refetchInterval: (query) => (!proven || missing(query.state.data) ? AGAIN_MS : false),
    refetchOnWindowFocus: false,
  })
  const { data } = pages
  const gap = proven && missing(data)
  useEffect(() => {
    if (gap) void queries.invalidateQueries({ queryKey: key })
  }, [queries, key, gap])
  useEffect(() => {
    const now = data && told ? taken(data, told, { remote, vmid, kind }) : 'gap'
    if (now !== 'gap' && now !== data) queries.setQueryData(key, now)
  }, [queries, key, data, told, remote, vmid, kind])
  const events = useMemo(() => (data?.pages ?? []).flatMap((page) => page.items), [data])
  // While the stream is cut that is said for all of the page, and the next try is soon.
  const error = data && !proven ? null : pages.error
  return { events, pages, error }
}
