/** Tasks from two sources as one list. Pure. */
import type { Task } from '~/api/types'

/** Each once, as the stream tells it where it does, newest first. */
export function together(kept: readonly Task[], told: readonly Task[]): Task[] {
  const made = new Map(kept.map((task) => [task.id, task]))
  told.forEach((task) => made.set(task.id, task))
  return [...made.values()].sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.id < b.id ? 1 : -1))
}
