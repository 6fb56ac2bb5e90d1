/** One node as its page knows it: what the server knows, what the node said when asked, and what the stream tells. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { Node, NodeDetail } from '~/api/types'
import { useLinks, useLiveList, useLiveStatus } from '~/live/hooks'
import { quoted } from '~/query/terms'
import type { Part } from '~/ui/part'

const LOOK_MS = 15_000

type Said = Readonly<Record<string, unknown>>

/** What a node says of itself. */
export function statusOf(detail: NodeDetail): Part<Said> {
  // The document calls it a plain object.
  return (detail as unknown as { status?: Part<Said> }).status ?? {}
}

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
      const [before, after] = [had && statusOf(had), statusOf(now)]
      return after.seen == null && before?.seen != null ? ({ ...now, status: { seen: before.seen, error: after.error } } as unknown as NodeDetail) : now
    },
    enabled: known.isSuccess,
    refetchInterval: LOOK_MS,
    staleTime: 0,
  })
  const detail = looked.data ?? known.data
  const id = detail?.remote_id
  const list = useLiveList(id === undefined ? null : { of: 'nodes', q: `remote:${id} name:${quoted(node)}`, sort: '', offset: 0, limit: 1 })
  const status = useLiveStatus()
  const link = useLinks()?.get(id ?? -1)?.link
  const told = list?.order[0] === undefined ? undefined : (list.rows.get(list.order[0]) as Node | undefined)
  const found = useMemo((): NodeDetail | undefined => {
    if (!detail) return undefined
    return status.state === 'live' ? { ...detail, ...told, ...(link ? { link } : {}) } : detail
  }, [detail, told, link, status.state])
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
