/** What kinds of things happen, as the filter of a history offers them. */
import type { Schemas } from '~/api/types'
import { capital, words } from '~/format/format'

export type Kind = NonNullable<Schemas['Happening']>['type']

/** Every kind by what it is about. A kind that is missing here does not compile. */
const ABOUT: Record<Kind, 'Guests' | 'Nodes' | 'Remotes' | 'Operations and tasks'> = {
  guest_appeared: 'Guests',
  guest_state: 'Guests',
  guest_moved: 'Guests',
  guest_renamed: 'Guests',
  guest_reshaped: 'Guests',
  guest_config: 'Guests',
  guest_in_doubt: 'Guests',
  guest_certain: 'Guests',
  guest_presence: 'Guests',
  guest_reborn: 'Guests',
  node_appeared: 'Nodes',
  node_state: 'Nodes',
  node_missing: 'Nodes',
  node_back: 'Nodes',
  node_renamed: 'Nodes',
  quorum: 'Nodes',
  link: 'Remotes',
  remote_added: 'Remotes',
  remote_edited: 'Remotes',
  remote_removed: 'Remotes',
  remote_connected: 'Remotes',
  remote_disconnected: 'Remotes',
  remote_trusted: 'Remotes',
  remote_credential: 'Remotes',
  remote_same_as: 'Remotes',
  operation: 'Operations and tasks',
  task_end_asked: 'Operations and tasks',
}

/** All kinds, in groups. Of one guest only what can happen to a guest. */
export function kinds(of: 'fleet' | 'guest'): { group: string; items: { value: Kind; label: string }[] }[] {
  const groups = new Map<string, { value: Kind; label: string }[]>()
  for (const [kind, group] of Object.entries(ABOUT) as [Kind, string][]) {
    if (of === 'guest' && group !== 'Guests' && group !== 'Operations and tasks') continue
    groups.set(group, [...(groups.get(group) ?? []), { value: kind, label: kindWords(kind) }])
  }
  return [...groups].map(([group, items]) => ({ group, items }))
}

/** A kind in words. */
export function kindWords(kind: string): string {
  return capital(words(kind))
}
