/** What the overview makes of what it is told: where a problem leads, what is not known, and in which order things stand. */
import type { Schemas } from '~/api/types'
import { capital, many } from '~/format/format'
import type { LiveOverview } from '~/live/state'

export type Trouble = Schemas['Trouble']
export type Kind = Schemas['TroubleKind']

/** The page of what a problem is about; `undefined`: it has none. */
export function pageOf({ subject, kind }: Trouble): string | undefined {
  const { type, id, remote_id: remote } = subject
  const part = encodeURIComponent(id.slice(id.indexOf('/') + 1))
  switch (type) {
    case 'remote':
      return `/remotes/${remote ?? id}${kind === 'coverage' ? '?tab=coverage' : ''}`
    case 'node':
      return `/nodes/${remote}/${part}`
    case 'guest':
      return `/guests/${remote}/${part}`
    case 'storage':
      return `/storages/${remote}/${part}`
    case 'task':
      return `/tasks/${remote}/${part}`
    case 'operation':
      return `/operations/${encodeURIComponent(id)}`
    case 'muster':
      return '/settings?tab=about'
    default:
      return undefined
  }
}

/** The list in which all problems of a kind are found; `undefined`: none shows just these. */
export function listOf(kind: Kind): string | undefined {
  const list = (path: string, q: string) => `${path}?q=${encodeURIComponent(q)}`
  switch (kind) {
    case 'link':
      return list('/remotes', 'link:down,degraded')
    case 'node':
      return list('/nodes', 'status:offline')
    case 'operation':
      return list('/operations', 'status:outcome_unknown')
    case 'task':
      return list('/tasks', 'status:failed age<1d')
    case 'storage':
      return list('/storages', 'disk>=85%')
    case 'guest':
      return list('/guests', 'ha:error')
    default:
      return undefined
  }
}

export const KINDS: Record<Kind, string> = {
  muster: 'Muster itself',
  link: 'Links',
  node: 'Nodes',
  quorum: 'Quorum',
  operation: 'Operations',
  guest: 'Guests',
  storage: 'Storage',
  task: 'Tasks',
  coverage: 'Coverage',
}

export interface Group {
  kind: Kind
  items: Trouble[]
  /** Of all there are, how many are of this kind, told or not. */
  total: number
}

/** Problems by kind, in the order in which the worst of each stands. */
export function grouped(items: readonly Trouble[], byKind: Record<string, number | undefined>): Group[] {
  const groups = new Map<Kind, Group>()
  for (const item of items) {
    const group = groups.get(item.kind) ?? { kind: item.kind, items: [], total: byKind[item.kind] ?? 0 }
    group.items.push(item)
    groups.set(item.kind, group)
  }
  return [...groups.values()].map((group) => ({ ...group, total: Math.max(group.total, group.items.length) }))
}

/** What is not known, in clauses; empty when everything is. */
export function unknowns({ remotes, guests, nodes }: LiveOverview): string[] {
  const found: string[] = []
  const down = remotes.total - remotes.up
  if (down > 0) found.push(`${many(down, 'remote')} of ${remotes.total} ${down === 1 ? 'is' : 'are'} not connected`)
  if (remotes.never_listed > 0) {
    found.push(`${many(remotes.never_listed, 'remote was', 'remotes were')} never listed: what there is on ${remotes.never_listed === 1 ? 'it' : 'them'} is in no figure here`)
  }
  if (guests.unknown > 0) found.push(`of ${many(guests.unknown, 'guest')} it is not known in which state ${guests.unknown === 1 ? 'it is' : 'they are'} now`)
  const lost = Object.entries(nodes.states).reduce((sum, [state, number]) => (state === 'unknown' ? sum + number : sum), 0)
  if (lost > 0) found.push(`the state of ${many(lost, 'node')} is not known`)
  return found
}

const LAST_SEEN = 'when last seen'

/**
 * What is said behind a problem that is not seen to be so now: when it was. Some sentences have the words for it already.
 * `undefined`: it is so now, or nobody knows when it was.
 */
export function seenOf({ live, seen, sentence }: Pick<Trouble, 'live' | 'seen' | 'sentence'>): { words: string; at: string } | undefined {
  if (live || seen == null) return undefined
  return { words: sentence.endsWith(LAST_SEEN) ? '' : LAST_SEEN, at: seen }
}

/** What is said when no problem is known. `asOf`: nobody knows how it is since that time of day. */
export function verdict(overview: LiveOverview, asOf?: string): { title: string; well: boolean } {
  const unknown = unknowns(overview).length > 0
  const when = asOf === undefined ? undefined : `When it was last told, at ${asOf}, `
  if (unknown) {
    const [is, all] = when === undefined ? ['is', 'not all is known'] : ['was', 'not all was known']
    return { title: capital(`${when ?? ''}nothing ${is} known to be wrong, but ${all}`), well: false }
  }
  if (when !== undefined) return { title: `${when}all was well`, well: false }
  const { remotes } = overview
  return {
    title: remotes.total === 1 ? 'All well: the remote answers, and every state is known' : `All well: all ${remotes.total} remotes answer, and every state is known`,
    well: true,
  }
}

const ORDER = [
  'connected', 'degraded', 'connecting', 'backing_off', 'credentials_rejected', 'certificate_changed', 'disconnected',
  'running', 'stopped', 'paused', 'suspended', 'online', 'offline',
]

/** States with how many there are, in their usual order; those that nobody has are left out. */
export function states(of: Record<string, number>): [state: string, number: number][] {
  const place = (state: string) => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length)
  return Object.entries(of)
    .filter(([, number]) => number > 0)
    .sort(([a], [b]) => place(a) - place(b) || a.localeCompare(b, 'en'))
}

/** A state as a value of a query. */
export function term(key: string, state: string): string {
  return /^[a-z_]+$/.test(state) ? `${key}:${state}` : `${key}:"${state.replace(/["\\]/g, '\\$&')}"`
}

/** Of how many a sum is made, where that is not all, or not all of now. */
export function madeOf({ of, known, stale }: Pick<Schemas['Amount'], 'of' | 'known' | 'stale'>, one: string): string | undefined {
  const parts: string[] = []
  if (known < of) parts.push(`known of ${known} of ${many(of, one)}`)
  if (stale > 0) parts.push(`${stale} as last seen`)
  return parts.length === 0 ? undefined : parts.join(', ')
}
