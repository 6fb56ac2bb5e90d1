/** Where a table's rows come from: [useLiveRows], a list of the server of any length, or [useRowsAtHand], which are all there. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useId, useMemo, useState, useSyncExternalStore } from 'react'
import { api, unwrap } from '~/api/client'
import type { Counts, Guest, ListSubscription, Node, Operation, Storage, Task } from '~/api/types'
import { useStreamLive } from '~/live/hooks'
import { live } from '~/live/live'
import { now } from '~/ui/now'
import { sorted } from './sorting'
import { type Known, type ListPage, ListStore, type Ports, type Question } from './store'
import type { Column, Identified, Source } from './types'

export interface Lists {
  guests: Guest
  nodes: Node
  storages: Storage
  tasks: Task
  operations: Operation
}

/** Which of them the stream tells; the others are asked for again and again. */
const TOLD: readonly string[] = ['guests', 'nodes', 'storages'] satisfies ListSubscription['of'][]

export type LiveSource<R> = Source<R> & {
  counts: Counts | undefined
  /** Asks for what is on screen anew, since something in it may be another. */
  refresh: () => void
}

function ask(of: keyof Lists, { q, sort }: Question, offset: number, limit: number, signal: AbortSignal) {
  const query = { offset, limit, ...(q === '' ? {} : { q }), ...(sort === '' ? {} : { sort }) }
  switch (of) {
    case 'guests':
      return unwrap(api.GET('/api/v1/guests', { params: { query }, signal }))
    case 'nodes':
      return unwrap(api.GET('/api/v1/nodes', { params: { query }, signal }))
    case 'storages':
      return unwrap(api.GET('/api/v1/storages', { params: { query }, signal }))
    case 'tasks':
      return unwrap(api.GET('/api/v1/tasks', { params: { query }, signal }))
    case 'operations':
      return unwrap(api.GET('/api/v1/operations', { params: { query }, signal }))
  }
}

/** Rows of a list of the server, as they are now. The question may change at any time. */
export function useLiveRows<K extends keyof Lists>(of: K, q: string, sort: string): LiveSource<Lists[K]> {
  type R = Lists[K]
  const name = useId()
  const queries = useQueryClient()
  const [store] = useState(() => {
    const place = (key: string) => ['list', of, key]
    const ports: Ports<R> = {
      of: TOLD.includes(of) ? (of as ListSubscription['of']) : undefined,
      page: (question, part, signal) =>
        ask(of, question, part.offset, part.limit, signal) as Promise<ListPage<R>>,
      follow(part, told) {
        return follow<R>(`${name} ${JSON.stringify(part)}`, part, told)
      },
      // Signing out empties this too.
      recall: (key) => queries.getQueryData<Known<R>>(place(key)),
      keep: (key, known) => queries.setQueryData(place(key), known),
      watched,
      now,
    }
    const made = new ListStore(ports)
    made.open({ q, sort })
    return made
  })
  const streamed = useStreamLive()
  const cut = useCut()
  useEffect(() => store.start(), [store])
  useEffect(() => store.streamed(streamed), [store, streamed])
  useEffect(() => store.ask({ q, sort }), [store, q, sort])
  const shown = useSyncExternalStore(store.subscribe, store.snapshot)
  return useMemo(() => (cut ? { ...shown, asOf: shown.at } : shown), [shown, cut])
}

/** Whether the live stream is known to be broken: nothing that is shown is known to be so any more. */
export function useCut(): boolean {
  return useSyncExternalStore(live.subscribe, () => live.status.state === 'cut')
}

function watched(): boolean {
  return document.visibilityState === 'visible'
}

/** Follows a part of a list on the stream of this tab. */
function follow<R>(
  name: string,
  part: ListSubscription,
  told: (part: { rows: ReadonlyMap<string, R>; order: readonly string[]; total: number; counts: Counts } | undefined) => void,
): () => void {
  const end = live.list(name, part)
  let last: unknown
  const look = () => {
    // Lists that are too many for the stream are asked for.
    const list = live.unfollowed.includes(name) ? undefined : live.state.lists.get(name)
    if (list === last) return
    last = list
    // What a list is of, its name says.
    told(list as unknown as Parameters<typeof told>[0])
  }
  const quiet = live.subscribe(look)
  look()
  return () => {
    quiet()
    end()
  }
}

/** Rows that are all at hand, sorted here by the columns' values. `undefined`: they are not known yet. */
export function useRowsAtHand<R extends Identified>(
  rows: readonly R[] | undefined,
  columns: readonly Column<R>[],
  sort: string,
  state: { error?: unknown; again?: () => void; pending?: boolean; asOf?: number | undefined } = {},
): Source<R> {
  const { error, again, pending = false, asOf } = state
  return useMemo(() => {
    const order = rows && sorted(rows, columns, sort)
    const byId = new Map(rows?.map((row) => [row.id, row]))
    return {
      order: order && { key: sort, total: order.length, id: (index) => order[index]?.id, has: (id) => byId.has(id) },
      row: (id) => byId.get(id),
      pending,
      error,
      asOf,
      again: again ?? (() => undefined),
      look: () => undefined,
      all: (most) => Promise.resolve([...(order ?? [])].slice(0, most)),
    }
  }, [rows, columns, sort, error, again, pending, asOf])
}
