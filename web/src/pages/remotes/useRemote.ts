/** One remote in full: asked for, asked again when its link changes, and with the link as the live stream tells it. */
import { queryOptions, useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, newKey, Refusal, unwrap } from '~/api/client'
import type { Remote } from '~/api/types'
import { useLinks } from '~/live/hooks'

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
  const links = useLinks()
  const queries = useQueryClient()
  const asked = query.data
  const told = asked === undefined ? undefined : links?.get(asked.id)
  const mark = told && `${told.link.state} ${told.link.since} ${told.link.endpoints.length} ${told.name}`
  useEffect(() => {
    if (mark !== undefined && every !== false) void queries.invalidateQueries({ queryKey: ['remote', remote] })
  }, [mark, queries, remote, every])
  return { remote: asked && told ? { ...asked, name: told.name, link: told.link } : asked, query }
}

/** One key for one wish, for as long as nobody knows whether it was done. */
export class Wish {
  #open: { what: string; key: string } | undefined

  key(wish: unknown): string {
    const what = JSON.stringify(wish) ?? ''
    if (this.#open?.what !== what) this.#open = { what, key: newKey() }
    return this.#open.key
  }

  /** How it ended; an answer settles it, whatever it says. */
  ended(error?: unknown): void {
    const unknown = error instanceof Refusal && (error.status === 0 || error.code === 'in_progress')
    if (!unknown) this.#open = undefined
  }
}

/** A change, under one key per wish. */
export function useWish<T, R>(change: (wish: T, key: string) => Promise<R>, done?: (result: R) => void) {
  const [wish] = useState(() => new Wish())
  return useMutation({
    mutationFn: (what: T) => change(what, wish.key(what)),
    onSuccess: (result) => {
      wish.ended()
      done?.(result)
    },
    onError: (error) => wish.ended(error),
  })
}

/** A change of a remote whose answer is the remote as it is then. */
export function useChange<T = void>(
  remote: Remote,
  change: (wish: T, at: { path: { remote: string }; header: { 'Idempotency-Key': string } }) => Promise<Remote>,
  done?: (remote: Remote) => void,
) {
  const queries = useQueryClient()
  const path = { remote: String(remote.id) }
  return useWish<T, Remote>(
    (wish, key) => change(wish, { path, header: { 'Idempotency-Key': key } }),
    (fresh) => {
      for (const name of [String(fresh.id), fresh.name, remote.name]) {
        if (queries.getQueryData(remoteQuery(name).queryKey)) queries.setQueryData(remoteQuery(name).queryKey, fresh)
      }
      done?.(fresh)
    },
  )
}
