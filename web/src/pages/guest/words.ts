/** What the page of a guest says in words. Pure. */
import type { Schemas } from '~/api/types'
import { words } from '~/format/format'
import type { Parts } from './parts'

export const KINDS = { ct: 'Container', vm: 'Virtual machine' } as const

/** What the HA manager does with it, or that nobody knows. `row` is what the list says, the status has more. */
export function haWords(row: string | null | undefined, status: Parts['status']): string {
  const said = status.seen?.value.ha as { managed?: unknown; state?: unknown; group?: unknown } | null | undefined
  const state = row ?? (typeof said?.state === 'string' ? said.state : undefined)
  if (!state && said?.managed === false) return 'Not managed: it is not started elsewhere when its node fails.'
  if (!state && said?.managed !== true) return 'Whether the HA manager looks after it is not known.'
  const group = typeof said?.group === 'string' ? `, in the group ${said.group}` : ''
  return `Managed: the HA manager says ${state ? `“${words(state)}”` : 'nothing of its state'}${group}.`
}

/** Whether it is there. */
export function presenceWords(presence: Schemas['Presence']): string {
  switch (presence.is) {
    case 'present':
      return 'present'
    case 'missing':
      return 'missing from the latest listing'
    case 'deleted':
      return 'deleted'
    case 'no_longer_visible':
      return 'no longer visible'
  }
}
