/** The fleet at a glance: as the live stream tells it, and asked for until it has told it. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api, unwrap } from '~/api/client'
import { useLiveStatus, useOverview } from '~/live/hooks'
import type { LiveOverview } from '~/live/state'

const KEY = ['overview'] as const
/** While the stream is cut, it is asked for this often. */
const AGAIN_MS = 10_000

export function useGlance() {
  const told = useOverview()
  const cut = useLiveStatus().state === 'cut'
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: KEY,
    queryFn: (): Promise<LiveOverview> => unwrap(api.GET('/api/v1/overview')),
    enabled: told === undefined || cut,
    refetchInterval: cut ? AGAIN_MS : false,
  })
  // What was told last stays on screen when the stream begins anew.
  useEffect(() => {
    if (told) queries.setQueryData(KEY, told)
  }, [told, queries])
  const overview = cut ? (query.data ?? told) : (told ?? query.data)
  return { overview, error: query.error, again: () => void query.refetch(), stale: cut && query.error !== null }
}
