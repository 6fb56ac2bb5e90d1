/** One guest as this page knows it: what the server knows, what its host said when looked at, and what the stream tells. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import { api, unwrap } from '~/api/client'
import type { Guest, GuestDetail } from '~/api/types'
import { useLink, useLiveList, useStreamLive } from '~/live/hooks'
import { kept } from './parts'

/** While it is looked at, its host is asked this often. */
const LOOK_MS = 10_000

export function useGuest(remote: string, vmid: number) {
  const queries = useQueryClient()
  const path = { remote, vmid }
  const knownKey = useMemo(() => ['guest', remote, vmid, 'known'], [remote, vmid])
  const lookedKey = useMemo(() => ['guest', remote, vmid, 'looked'], [remote, vmid])
  const known = useQuery({
    queryKey: knownKey,
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/guests/{remote}/{vmid}', { params: { path, query: { look: false } }, signal })),
    staleTime: 0,
  })
  const looked = useQuery({
    queryKey: lookedKey,
    queryFn: async ({ signal }) => {
      const now = await unwrap(api.GET('/api/v1/guests/{remote}/{vmid}', { params: { path }, signal }))
      return kept(queries.getQueryData<GuestDetail>(lookedKey) ?? queries.getQueryData<GuestDetail>(knownKey), now)
    },
    // Once it is known that it is there, it goes on being asked for, whatever a later answer says.
    enabled: known.data !== undefined,
    refetchInterval: LOOK_MS,
    staleTime: 0,
  })
  const newest =
    looked.data && (!known.data || looked.dataUpdatedAt >= known.dataUpdatedAt) ? looked.data : known.data
  const id = newest?.remote_id
  const list = useLiveList(id === undefined ? null : { of: 'guests', q: `remote:${id} vmid:${vmid}`, sort: '', offset: 0, limit: 1 })
  const live = useStreamLive()
  const told = list?.order[0] === undefined ? undefined : (list.rows.get(list.order[0]) as Guest | undefined)
  const link = useLink(id)?.link

  // What the stream tells of it may allow other actions, and makes what was looked at old.
  const sign = told && JSON.stringify([told.word, told.freshness, told.busy, told.lock, told.node, told.presence, told.template, link?.state, link?.up])
  const last = useRef<string>(undefined)
  useEffect(() => {
    if (sign === undefined || sign === last.current) return
    const first = last.current === undefined
    last.current = sign
    if (first) return
    void queries.invalidateQueries({ queryKey: knownKey })
    void queries.invalidateQueries({ queryKey: lookedKey })
  }, [sign, queries, knownKey, lookedKey])

  const guest = useMemo((): GuestDetail | undefined => {
    if (!newest) return undefined
    // Parts that were looked at stay when the newer answer did not look.
    const full = looked.data && newest !== looked.data ? kept(looked.data, newest) : newest
    const row = live && told?.incarnation === full.incarnation ? told : undefined
    return { ...full, ...row, ...(link ? { link } : {}) }
  }, [newest, looked.data, told, link, live])

  return {
    guest,
    /** Why nothing is known at all, or nothing newer. */
    error: known.error ?? looked.error,
    again: () => {
      void known.refetch()
      void looked.refetch()
    },
    /** Whether its host has been asked, well or not. */
    looked: looked.data !== undefined || looked.isError,
  }
}
