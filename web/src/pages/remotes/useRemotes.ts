/** The list of remotes: asked for with a query, each with its link as the live stream tells it. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import { api, unwrap } from '~/api/client'
import type { RemoteRow } from '~/api/types'
import { useLinks } from '~/live/hooks'

/** A remote as a row of a table. */
export type Row = Omit<RemoteRow, 'id'> & { id: string; number: number }

const PAGE = 1000
/** Figures and what fits a query are asked for again this often while the list is looked at, and soon after a link changed. */
const AGAIN_MS = 10_000
const SOON_MS = 1000

async function all(q: string, sort: string, signal: AbortSignal) {
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

export function useRemotes(q: string, sort: string) {
  const query = useQuery({
    queryKey: ['remotes', q, sort],
    queryFn: ({ signal }) => all(q, sort, signal),
    placeholderData: keepPreviousData,
    refetchInterval: AGAIN_MS,
  })
  const links = useLinks()
  const { refetch, data } = query
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    if (links === undefined || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      void refetch()
    }, SOON_MS)
  }, [links, refetch])
  useEffect(() => () => clearTimeout(timer.current), [])
  const rows = useMemo(
    () =>
      data?.items.map((row): Row => {
        const told = links?.get(row.id)
        return { ...row, id: String(row.id), number: row.id, ...(told && { link: told.link, name: told.name }) }
      }),
    [data, links],
  )
  return { query, rows, counts: data?.counts, total: data?.total }
}
