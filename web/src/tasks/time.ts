/** How long a task took, and until when it was seen to run. Pure. */
import type { Link, Task } from '~/api/types'
import type { Seen } from '~/ui/State'
import { instant } from '~/ui/Time'

/** Seconds from its beginning to its end; while it runs, to `until`. `undefined` where nobody knows. */
export function took(task: Pick<Task, 'started' | 'ended'> & { outcome: string }, until?: number): number | undefined {
  const began = instant(task.started)
  const ended = instant(task.ended) ?? (task.outcome === 'running' ? until : undefined)
  return began === undefined || ended === undefined || ended < began ? undefined : (ended - began) / 1000
}

/** Of what had not ended when its remote was last reached: when that was, if ever. `undefined`: it is as it says. */
export function lastSeen(open: boolean, link: Pick<Link, 'up' | 'last_success'> | undefined): Seen | undefined {
  if (!open || link === undefined || link.up) return undefined
  return { at: instant(link.last_success) }
}
