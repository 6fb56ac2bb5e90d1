/**
 * What the live stream has told so far, and [apply], which puts a message into it. Used by the worker that holds the
 * stream, to tell a tab that comes later what there is, and by each tab for itself.
 */
import type {
  Counts,
  FleetCounts,
  FleetEvent,
  LinkRow,
  ListChanges,
  Operation,
  Schemas,
  StreamMessage,
  Task,
} from '~/api/types'

type Events = Schemas['Events']

/** The fleet at a glance, as far as it was told. */
export type LiveOverview = Omit<Schemas['Overview'], 'revision'>

export type Row = ListChanges['rows'][number]

/** The part of a list that is followed. */
export interface LiveList {
  rows: ReadonlyMap<string, Row>
  order: readonly string[]
  total: number
  counts: Counts
  revision: number
}

/** What has happened, as far as it was told: all there is after one event. */
export interface LiveEvents {
  /** All events with a greater id are in `items`. */
  after: number
  /** Newest first, at most [EVENTS]. */
  items: readonly FleetEvent[]
}

/** Everything told so far. Absent: not told yet. */
export interface LiveState {
  links: ReadonlyMap<number, LinkRow> | undefined
  operations: ReadonlyMap<string, Operation> | undefined
  tasks: ReadonlyMap<string, Task> | undefined
  counts: FleetCounts | undefined
  overview: LiveOverview | undefined
  events: LiveEvents | undefined
  lists: ReadonlyMap<string, LiveList>
}

/** So many events of the stream are kept; older ones are asked for by page. */
export const EVENTS = 500

export const NOTHING: LiveState = {
  links: undefined,
  operations: undefined,
  tasks: undefined,
  counts: undefined,
  overview: undefined,
  events: undefined,
  lists: new Map(),
}

/** Whether nothing was told. */
export function isNothing({ lists, ...topics }: LiveState): boolean {
  return lists.size === 0 && Object.values(topics).every((topic) => topic === undefined)
}

function merged<K, V>(
  had: ReadonlyMap<K, V> | undefined,
  key: (row: V) => K,
  upserted: readonly V[],
  removed: readonly K[],
): ReadonlyMap<K, V> {
  const made = new Map(had)
  upserted.forEach((row) => made.set(key(row), row))
  removed.forEach((id) => made.delete(id))
  return made
}

/** The state after a message. What the message does not touch stays the same object. */
export function apply(state: LiveState, message: StreamMessage): LiveState {
  switch (message.type) {
    case 'links':
      return { ...state, links: merged(state.links, (row) => row.id, message.upserted, message.removed) }
    case 'operations':
      return { ...state, operations: merged(state.operations, (row) => row.id, message.upserted, message.removed) }
    case 'tasks':
      return { ...state, tasks: merged(state.tasks, (row) => row.id, message.upserted, message.removed) }
    case 'counts': {
      const { type: _, ...counts } = message
      return { ...state, counts }
    }
    case 'overview': {
      const { type: _, ...parts } = message
      const told = Object.entries(parts).filter(([, part]) => part != null)
      // The first one has all parts; what is absent later is as it was.
      return { ...state, overview: { ...state.overview, ...Object.fromEntries(told) } as LiveOverview }
    }
    case 'events': {
      const events = happened(state.events, message)
      return events === state.events ? state : { ...state, events }
    }
    case 'list': {
      const lists = new Map(state.lists)
      lists.set(message.list, applied(state.lists.get(message.list), message))
      return { ...state, lists }
    }
    case 'reset':
      return message.events_after == null ? NOTHING : { ...NOTHING, events: { after: message.events_after, items: [] } }
    default:
      return state
  }
}

function happened(had: LiveEvents | undefined, { items, up_to }: Events): LiveEvents {
  const known = new Set(had?.items.map((event) => event.id))
  const fresh = items.filter((event) => !known.has(event.id)).reverse()
  if (had && fresh.length === 0) return had
  const all = [...fresh, ...(had?.items ?? [])]
  // Of the first ones nobody says after which one they come: there is none between them and the one before.
  const after = had?.after ?? (items[0] ? items[0].id - 1 : up_to)
  return { after: all[EVENTS]?.id ?? after, items: all.slice(0, EVENTS) }
}

function applied(had: LiveList | undefined, changes: ListChanges): LiveList {
  return {
    rows: merged<string, Row>(had?.rows, (row) => row.id, changes.rows, changes.removed),
    order: changes.order ?? had?.order ?? [],
    total: changes.total,
    counts: changes.counts,
    revision: changes.revision,
  }
}

/** The same without one list. */
export function without(state: LiveState, list: string): LiveState {
  if (!state.lists.has(list)) return state
  const lists = new Map(state.lists)
  lists.delete(list)
  return { ...state, lists }
}

/** Messages that bring somebody who knows nothing to this state, as far as `topics` and `list` ask for it. */
export function retold(state: LiveState, topics: Iterable<string>): StreamMessage[] {
  const told: StreamMessage[] = []
  for (const topic of topics) {
    if (topic === 'links' && state.links) told.push({ type: 'links', upserted: [...state.links.values()], removed: [] })
    if (topic === 'operations' && state.operations)
      told.push({ type: 'operations', upserted: [...state.operations.values()], removed: [] })
    if (topic === 'tasks' && state.tasks) told.push({ type: 'tasks', upserted: [...state.tasks.values()], removed: [] })
    if (topic === 'counts' && state.counts) told.push({ type: 'counts', ...state.counts })
    if (topic === 'overview' && state.overview) told.push({ type: 'overview', ...state.overview })
    if (topic === 'events' && state.events) {
      const { items, after } = state.events
      told.push({ type: 'events', items: [...items].reverse(), up_to: items[0]?.id ?? after })
    }
  }
  return told
}

/** A followed list as one message. */
export function retoldList(name: string, of: ListChanges['of'], list: LiveList): StreamMessage {
  const rows = [...list.rows.values()]
  return {
    type: 'list',
    list: name,
    of,
    rows,
    removed: [],
    order: [...list.order],
    total: list.total,
    counts: list.counts,
    revision: list.revision,
  } as StreamMessage
}
