/** What only a person can decide about an operation whose outcome nobody knows. */
import type { Operation } from '~/api/types'

export interface Asks {
  question: string
  /** Tasks it could be. */
  tasks: readonly string[]
  /** What can be said instead. */
  none: string
  /** What that means. */
  warning: string
}

/** `undefined`: nothing is to be decided. */
export function asks(operation: Operation): Asks | undefined {
  // Several candidates are final for Muster: only a person can say more.
  if (operation.state !== 'outcome_unknown') return undefined
  switch (operation.detail.why) {
    case 'candidates':
      return {
        question: 'Several tasks could be it. Look at them, and say which it is.',
        tasks: operation.detail.tasks,
        none: 'None of them',
        warning: 'Then it is taken as never having arrived: it ends as not sent. Say so only if you have looked.',
      }
    case 'node':
      return {
        question: `Node ${operation.detail.node} does not tell how its task stands. Muster asks on. If the node is gone for good, the watching can end here.`,
        tasks: [],
        none: 'Stop watching',
        warning: 'The outcome stays unknown for ever. The guest’s own state shows what became of it.',
      }
    case 'ha':
      return {
        question: 'The HA manager has the wish and has not fulfilled it. Muster watches on.',
        tasks: [],
        none: 'Stop watching',
        warning: 'The outcome stays unknown for ever. The wish stays with the HA manager: it may still fulfil it.',
      }
    default:
      return undefined
  }
}
