/** Tasks from two sources as one list. Pure. */
import type { Task } from '~/api/types'
import { olderTask } from '~/pages/useTold'

/** Each once, as whichever is newer says it, newest first. */
export function together(kept: readonly Task[], told: readonly Task[]): Task[] {
  const made = new Map(kept.map((task) => [task.id, task]))
  for (const task of told) {
    const had = made.get(task.id)
    if (had === undefined || !olderTask(task, had)) made.set(task.id, task)
  }
  return [...made.values()].sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.id < b.id ? 1 : -1))
}
