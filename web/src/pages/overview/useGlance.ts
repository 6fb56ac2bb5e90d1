/** The fleet at a glance: as the live stream tells it, and asked for until it has told it. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api, unwrap } from '~/api/client'
import { useOverview, useStreamLive } from '~/live/hooks'
import type { LiveOverview } from '~/live/state'

const KEY = ['overview'] as const
/** While the stream does not tell it, it is asked for this often. */
const AGAIN_MS = 10_000

export function useGlance() {
  const told = useOverview()
  const live = useStreamLive()
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: KEY,
    queryFn: (): Promise<LiveOverview> => unwrap(api.GET('/api/v1/overview')),
    enabled: told === undefined || !live,
    refetchInterval: live ? false : AGAIN_MS,
  })
  // What was told last stays on screen when the stream begins anew.
  useEffect(() => {
    if (told) queries.setQueryData(KEY, told)
  }, [told, queries])
  const overview = live ? (told ?? query.data) : (query.data ?? told)
  return {
    overview,
    error: query.error,
    again: () => void query.refetch(),
    /** Neither told nor answered any more: what there is was so at this time, in milliseconds since 1970. */
    staleSince: !live && query.error !== null && overview ? query.dataUpdatedAt : undefined,
  }
}
