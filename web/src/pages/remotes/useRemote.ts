/** One remote in full: asked for, asked again when its link changes, and with the link as the live stream tells it. */
import { queryOptions, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useEffect } from 'react'
import { api, unwrap } from '~/api/client'
import { type About, useOnce } from '~/api/once'
import type { Remote } from '~/api/types'
import { useLink } from '~/live/hooks'

const AGAIN_MS = 10_000

export function remoteQuery(remote: string) {
  return queryOptions({
    queryKey: ['remote', remote],
    queryFn: () => unwrap(api.GET('/api/v1/remotes/{remote}', { params: { path: { remote } } })),
  })
}

export interface RemoteNow {
  remote: Remote | undefined
  query: UseQueryResult<Remote>
}

/** `remote`: its id or name. `every`: while it is looked at, it is asked for anew after so many milliseconds. */
export function useRemote(remote: string, every: number | false = AGAIN_MS): RemoteNow {
  const query = useQuery({ ...remoteQuery(remote), refetchInterval: every })
  const queries = useQueryClient()
  const asked = query.data
  const told = useLink(asked?.id)
  const mark = told && `${told.link.state} ${told.link.since} ${told.link.endpoints.length} ${told.name}`
  useEffect(() => {
    if (mark !== undefined && every !== false) void queries.invalidateQueries({ queryKey: ['remote', remote] })
  }, [mark, queries, remote, every])
  return { remote: asked && told ? { ...asked, name: told.name, link: told.link } : asked, query }
}

/** A wish about a remote that outlives what it was made from. `said`: what is unknown when no answer comes. */
export function aboutRemote(id: number, deed: string, said: string): About {
  return { deed, things: [`remote ${id}`], said }
}

/** A change of a remote whose answer is the remote as it is then. */
export function useChange<T = void>(
  remote: Pick<Remote, 'id' | 'name'>,
  change: (wish: T, at: { path: { remote: string }; header: { 'Idempotency-Key': string } }) => Promise<Remote>,
  done?: (remote: Remote) => void,
  about?: About,
) {
  const queries = useQueryClient()
  const path = { remote: String(remote.id) }
  return useOnce<T, Remote>(
    (wish, key) => change(wish, { path, header: { 'Idempotency-Key': key } }),
    (fresh) => {
      for (const name of [String(fresh.id), fresh.name, remote.name]) {
        if (queries.getQueryData(remoteQuery(name).queryKey)) queries.setQueryData(remoteQuery(name).queryKey, fresh)
      }
      done?.(fresh)
    },
    about,
  )
}
