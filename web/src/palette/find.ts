/** Finds guests, nodes, storages and remotes by name or number, over the server's own lists. */
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import type { Guest, Node, RemoteRow, Storage } from '~/api/types'
import { queryOf } from './match'

/** Somebody writes on for longer than this only while thinking. */
const PAUSE_MS = 120
const GUESTS = 8
const OTHERS = 4

export interface Found {
  guests: Guest[]
  nodes: Node[]
  storages: Storage[]
  remotes: RemoteRow[]
}

export const NOTHING: Found = { guests: [], nodes: [], storages: [], remotes: [] }

/** `what`: which kinds; `words`: what they have to have. */
export function useFound(words: readonly string[], what: readonly (keyof Found)[]) {
  const wanted = words.length === 0 || what.length === 0 ? '' : queryOf(words)
  const kinds = what.join()
  const [settled] = useDebouncedValue(`${kinds} ${wanted}`, PAUSE_MS)
  const of = settled.slice(0, settled.indexOf(' '))
  const q = settled.slice(settled.indexOf(' ') + 1)
  const asked = useQuery({
    queryKey: ['palette', q, of],
    enabled: q !== '',
    staleTime: 5000,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }): Promise<Found> => {
      const has = (kind: keyof Found) => of.split(',').includes(kind)
      const query = (limit: number) => ({ params: { query: { q, limit } }, signal })
      const [guests, nodes, storages, remotes] = await Promise.all([
        has('guests') ? unwrap(api.GET('/api/v1/guests', query(GUESTS))) : undefined,
        has('nodes') ? unwrap(api.GET('/api/v1/nodes', query(OTHERS))) : undefined,
        has('storages') ? unwrap(api.GET('/api/v1/storages', query(OTHERS))) : undefined,
        has('remotes') ? unwrap(api.GET('/api/v1/remotes', query(OTHERS))) : undefined,
      ])
      return {
        guests: guests?.items ?? [],
        nodes: nodes?.items ?? [],
        storages: storages?.items ?? [],
        remotes: remotes?.items ?? [],
      }
    },
  })
  const current = wanted !== '' && q !== ''
  return {
    found: current ? (asked.data ?? NOTHING) : NOTHING,
    /** What is shown is not yet what was asked for. */
    pending: wanted !== '' && (wanted !== q || kinds !== of || asked.isFetching),
    error: current ? asked.error : null,
  }
}
