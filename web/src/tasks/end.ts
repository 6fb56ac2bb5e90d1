/** Whether a task can be ended. Pure. */
import type { Task } from '~/api/types'

/** Why it may not be ended now; `undefined`: it may. `may`: whether the person's role allows it. */
export function whyNotEnd({ outcome }: Pick<Task, 'outcome'>, may: boolean): string | undefined {
  if (outcome === 'unknown') return 'Nobody knows whether it still runs: its node does not tell.'
  if (outcome !== 'running') return 'It has ended.'
  return may ? undefined : 'This needs the role operator on this remote.'
}
