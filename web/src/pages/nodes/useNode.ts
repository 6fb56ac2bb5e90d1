/** One node as its page knows it: what the server knows, what the node said when asked, and what the stream tells. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { Node, NodeDetail } from '~/api/types'
import { useLink, useLiveList, useStreamLive } from '~/live/hooks'
import { quoted } from '~/query/terms'

const LOOK_MS = 15_000

export function useNode(remote: string, node: string) {
  const queries = useQueryClient()
  const path = { remote, node }
  const known = useQuery({
    queryKey: ['node', remote, node, 'known'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/nodes/{remote}/{node}', { params: { path, query: { look: false } }, signal })),
    staleTime: 0,
  })
  const lookedKey = ['node', remote, node, 'looked']
  const looked = useQuery({
    queryKey: lookedKey,
    queryFn: async ({ signal }): Promise<NodeDetail> => {
      const now = await unwrap(api.GET('/api/v1/nodes/{remote}/{node}', { params: { path }, signal }))
      const had = queries.getQueryData<NodeDetail>(lookedKey)
      return now.status.seen == null && had?.status.seen != null ? { ...now, status: { seen: had.status.seen, error: now.status.error } } : now
    },
    // Once it is known that it is there, it goes on being asked for, whatever a later answer says.
    enabled: known.data !== undefined,
    refetchInterval: LOOK_MS,
    staleTime: 0,
  })
  const detail = looked.data ?? known.data
  const id = detail?.remote_id
  const list = useLiveList(id === undefined ? null : { of: 'nodes', q: `remote:${id} name:${quoted(node)}`, sort: '', offset: 0, limit: 1 })
  const live = useStreamLive()
  const link = useLink(id)?.link
  const told = list?.order[0] === undefined ? undefined : (list.rows.get(list.order[0]) as Node | undefined)
  const found = useMemo((): NodeDetail | undefined => {
    if (!detail) return undefined
    return { ...detail, ...(live ? told : undefined), ...(link ? { link } : {}) }
  }, [detail, told, link, live])
  return {
    node: found,
    error: known.error ?? looked.error,
    again: () => {
      void known.refetch()
      void looked.refetch()
    },
    looked: looked.data !== undefined || looked.isError,
  }
}
