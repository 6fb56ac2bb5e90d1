/** What has become of each guest's part of a wish. Pure. */
import type { Operation, Problem } from '~/api/types'
import { repeatable } from './decide'
import type { Followed } from './follow'
import type { StartedItem, Target } from './server'

export interface Result {
  target: Target
  /** Its operation, where it was taken on. */
  id: string | null
  /** As it was told last. */
  operation: Operation | null
  /**
   * `refused`: nothing was taken on. `untold`: it was, and how it stands is not known. `goes_on` and `ended` are as its
   * operation says.
   */
  fate: 'refused' | 'untold' | 'goes_on' | 'ended'
  /** Why it was refused, or is not known. */
  problem: Problem | null
  /** Nothing more will be told of it here. */
  over: boolean
}

export function resultOf({ target, id, operation: first, problem }: StartedItem, { operations, lost }: Followed): Result {
  if (id === null) return { target, id, operation: null, fate: 'refused', problem, over: true }
  const operation = operations.get(id) ?? first
  if (operation?.final) return { target, id, operation, fate: 'ended', problem: null, over: true }
  const gone = lost.get(id)?.problem
  if (operation !== null && gone === undefined) return { target, id, operation, fate: 'goes_on', problem: null, over: false }
  return { target, id, operation, fate: 'untold', problem: gone ?? problem, over: gone !== undefined }
}

/** Whether to offer the same again: what is not known may have been done. */
export function mayAskAgain({ fate, operation }: Result): boolean {
  return fate === 'refused' || (fate === 'ended' && operation !== null && repeatable(operation))
}
