/** The list of remotes: asked for with a query, each with its link as the live stream tells it. And the names of all. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { LinkRow, RemoteRow } from '~/api/types'
import { useLinks, useStreamLive } from '~/live/hooks'
import { useSoon } from '~/live/useSoon'

/** A remote as a row of a table. */
export type Row = Omit<RemoteRow, 'id'> & { id: string; number: number }

/** No answer has more. */
const PAGE = 1000
/** Figures and what fits a query are asked for again this often while the list is looked at. */
const AGAIN_MS = 10_000
/** When links say that other remotes belong to the list, within this time. */
const SOON_MS = 5000
/** Names seldom change. */
const NAMES_MS = 30_000

/** All remotes that fit, however many. */
export async function allRemotes(q: string, sort: string, signal: AbortSignal) {
  const ask = (offset: number) =>
    unwrap(
      api.GET('/api/v1/remotes', {
        params: { query: { offset, limit: PAGE, ...(q === '' ? {} : { q }), ...(sort === '' ? {} : { sort }) } },
        signal,
      }),
    )
  const page = await ask(0)
  const items = [...page.items]
  while (items.length < page.total) {
    const next = await ask(items.length)
    if (next.items.length === 0) break
    items.push(...next.items)
  }
  return { ...page, items }
}

/**
 * What has to be asked for when it changes: which remotes there are, and with a query, which fit it, in whatever state
 * their links are. What a link says by itself is shown as it is told.
 */
export function signOf(links: ReadonlyMap<number, LinkRow> | undefined, q: string): unknown {
  if (links === undefined || q !== '') return links
  return [...links.keys()].sort((a, b) => a - b).join(' ')
}

export function useRemotes(q: string, sort: string) {
  const query = useQuery({
    queryKey: ['remotes', q, sort],
    queryFn: ({ signal }) => allRemotes(q, sort, signal),
    placeholderData: keepPreviousData,
    refetchInterval: AGAIN_MS,
  })
  const told = useLinks()
  const links = useStreamLive() ? told : undefined
  const { refetch, data } = query
  useSoon(signOf(links, q), () => void refetch(), SOON_MS)
  const rows = useMemo(
    () =>
      data?.items.map((row): Row => {
        const now = links?.get(row.id)
        return { ...row, id: String(row.id), number: row.id, ...(now && { link: now.link, name: now.name }) }
      }),
    [data, links],
  )
  return { query, rows, counts: data?.counts, total: data?.total }
}

/** All remotes that the person may see, by name. */
export function useRemoteNames() {
  return useQuery({
    queryKey: ['remotes', 'names'],
    queryFn: async ({ signal }) => (await allRemotes('', 'name', signal)).items.map(({ id, name }) => ({ id, name })),
    staleTime: NAMES_MS,
  })
}
