/** Tasks that fit a query, asked for by hand: the stream tells the newer ones. */
import { useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'

const MOST = 200

export function useTasksOf(q: string) {
  return useQuery({
    queryKey: ['tasks-of', q],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/tasks', { params: { query: { q, limit: MOST } }, signal })),
    refetchInterval: 30_000,
  })
}
