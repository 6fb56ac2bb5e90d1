/** What screens use of the live stream. While it is asked for it is followed; nothing has to be ended by hand. */
import { useEffect, useId, useSyncExternalStore } from 'react'
import type {
  FleetCounts,
  LinkRow,
  ListSubscription,
  Operation,
  Task,
  Topic,
} from '~/api/types'
import { live } from './live'
import type { Status } from './protocol'
import type { LiveEvents, LiveList, LiveOverview } from './state'

function useTopic(topic: Topic): void {
  useEffect(() => live.topic(topic), [topic])
}

/** How the live stream fares. */
export function useLiveStatus(): Status {
  return useSyncExternalStore(live.subscribe, () => live.status)
}

/**
 * Whether what the stream tells is newer than any answer: only while it proves itself live. Else what it told is from
 * before the break, and what was asked since is newer.
 */
export function useStreamLive(): boolean {
  return useSyncExternalStore(live.subscribe, () => live.status.state === 'live')
}

/** Links to all remotes by the remote's id, as they were told last; `undefined` until they were told. */
export function useLinks(): ReadonlyMap<number, LinkRow> | undefined {
  useTopic('links')
  return useSyncExternalStore(live.subscribe, () => live.state.links)
}

/** The link to one remote as the stream tells it; `undefined` unless the stream is live and has told it. */
export function useLink(remote: number | undefined): LinkRow | undefined {
  useTopic('links')
  return useSyncExternalStore(live.subscribe, () =>
    live.status.state === 'live' && remote !== undefined ? live.state.links?.get(remote) : undefined,
  )
}

/** Operations, open and recent, by id. */
export function useOperations(): ReadonlyMap<string, Operation> | undefined {
  useTopic('operations')
  return useSyncExternalStore(live.subscribe, () => live.state.operations)
}

/** Tasks, running and recent, by id. */
export function useTasks(): ReadonlyMap<string, Task> | undefined {
  useTopic('tasks')
  return useSyncExternalStore(live.subscribe, () => live.state.tasks)
}

/** How many there are of everything. */
export function useCounts(): FleetCounts | undefined {
  useTopic('counts')
  return useSyncExternalStore(live.subscribe, () => live.state.counts)
}

/** The fleet at a glance. */
export function useOverview(): LiveOverview | undefined {
  useTopic('overview')
  return useSyncExternalStore(live.subscribe, () => live.state.overview)
}

/** What has happened since the stream began; `undefined` until it is told. What was before is asked for by page. */
export function useNewEvents(): LiveEvents | undefined {
  useTopic('events')
  return useSyncExternalStore(live.subscribe, () => live.state.events)
}

/** A part of a list, as it is now. `undefined` until it was told; `null` asks for none. */
export function useLiveList(list: ListSubscription | null): LiveList | undefined {
  const name = useId()
  const key = list === null ? null : JSON.stringify(list)
  // Another part is another list: what is shown is never half of each.
  const full = key === null ? null : `${name} ${key}`
  useEffect(() => {
    if (full === null || key === null) return
    return live.list(full, JSON.parse(key) as ListSubscription)
  }, [full, key])
  return useSyncExternalStore(live.subscribe, () => (full === null ? undefined : live.state.lists.get(full)))
}
