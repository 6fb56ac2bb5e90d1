/** Decisions about actions: whether a button may be pressed and what it says, and what an operation's state means in words. */
import type { Action, Availability, GuestDetail, Operation } from '~/api/types'
import { capital, many, words } from '~/format/format'
import type { Tone } from '~/ui/State'
import { takenBack, waits } from './cancel'
import { knows, power } from './table'

/** How a button stands. */
export interface Press {
  can: boolean
  /** It may be pressed, and may well not work. */
  doubtful: boolean
  /** Why, and what would mend it: the button's tooltip. */
  hint: string | undefined
}

const NOT_YET: Press = { can: false, doubtful: false, hint: 'What may be done is being asked for.' }

/** A newer server says what this console has no words for. */
const ODD: Press = {
  can: false,
  doubtful: false,
  hint: 'The server is newer than this page, and says of it what the page does not know. Reload the page.',
}

/** How the button of an action stands. `availability` is the API's answer, `may` whether the person's role allows it. */
export function press(availability: Availability | undefined, may: boolean): Press {
  if (!may) {
    return {
      can: false,
      doubtful: false,
      hint: 'Your role may not do this here: it needs the role operator on this remote. An administrator can grant it.',
    }
  }
  if (availability === undefined) return NOT_YET
  switch (availability.availability) {
    case 'available':
      return { can: true, doubtful: false, hint: undefined }
    case 'may_fail':
      return { can: true, doubtful: true, hint: `May fail: ${doubt(availability.why)}` }
    case 'disabled':
      return { can: false, doubtful: false, hint: `Not now: ${availability.reason}. ${availability.remedy}` }
    default:
      return ODD
  }
}

/** A doubt without the words that stand before it anyway. */
export function doubt(why: string): string {
  return why.replace(/^may fail: /, '').replace(/[,:] may fail$/, '')
}

/** What the API says of an action on a guest. */
export function availabilityOf(detail: Pick<GuestDetail, 'actions'> | undefined, action: Action): Availability | undefined {
  return detail?.actions.find((one) => one.action === action)
}

/** An operation's state in words. */
export interface Outcome {
  tone: Tone
  title: string
  /** The cause, or what goes on. */
  text: string | undefined
  /** What would mend it. */
  remedy: string | undefined
  /** Where more stands. */
  more: 'task' | 'operation' | undefined
  /** It has ended as it should: whoever asked needs to do nothing. */
  settled: boolean
}

/** What to say of an operation. Success is said after its end only. */
export function outcome(operation: Operation): Outcome {
  const { verb, done, label } = power(operation.action)
  const who = operation.name ?? String(operation.vmid)
  const said = { remedy: operation.cause?.remedy, settled: false }
  const log = operation.task ? ('task' as const) : ('operation' as const)
  const plain: Outcome = {
    ...said,
    tone: !operation.final ? 'busy' : operation.success ? 'good' : 'unknown',
    title: `${label} ${who}: ${words(operation.state)}`,
    text: capital(operation.sentence),
    more: log,
    settled: operation.final && operation.success,
  }
  // A newer server may have actions and states that there are no better words for here.
  if (!knows(operation.action)) return plain
  switch (operation.state) {
    case 'pending':
    case 'sent':
    case 'running':
    case 'handed_to_ha':
      return {
        ...said,
        tone: 'busy',
        title: `Asked: ${verb} ${who}`,
        text: capital(operation.followed ? operation.sentence : `${operation.sentence}; not followed while the remote is disconnected`),
        more: 'operation',
      }
    case 'succeeded':
      return { ...said, tone: 'good', title: `${who} was ${done}`, text: undefined, more: undefined, settled: true }
    case 'succeeded_with_warnings': {
      const count = operation.detail.count
      const warnings = count == null ? 'warnings' : many(count, 'warning')
      return {
        ...said,
        tone: 'warn',
        title: `${who} was ${done}, with ${warnings}`,
        text: operation.last_lines.findLast((line) => /^warn/i.test(line)),
        more: log,
      }
    }
    case 'failed':
      return {
        ...said,
        tone: 'bad',
        title: `${who} was not ${done}`,
        text: operation.cause?.sentence ?? capital(operation.sentence),
        more: log,
      }
    case 'cancelled':
      if (takenBack(operation)) {
        return { ...said, tone: 'off', title: `Cancelled: ${verb} ${who}`, text: capital(operation.sentence), more: 'operation' }
      }
      return { ...said, tone: 'off', title: `Ended before ${who} was ${done}`, text: 'The task was ended on somebody’s wish.', more: log }
    case 'not_sent':
      return {
        ...said,
        tone: 'bad',
        title: `Not sent: ${verb} ${who}`,
        text: operation.cause?.sentence ?? capital(operation.sentence),
        more: 'operation',
      }
    case 'outcome_unknown':
      return {
        ...said,
        tone: 'unknown',
        title: `Unknown whether ${who} was ${done}`,
        text: capital(operation.sentence),
        remedy: operation.final ? 'Look at the operation: it needs a person to decide.' : 'Muster goes on looking. Do not ask again before it is known.',
        more: 'operation',
      }
    default:
      return plain
  }
}

/** Why an operation may not be taken back; `undefined`: it may. */
export function whyNotCancel(operation: Operation, may: boolean): string | undefined {
  if (operation.final) return 'It has ended.'
  if (!waits(operation)) return operation.task ? 'It was sent already: what can be ended is its task.' : 'It was sent already.'
  return may ? undefined : 'This needs the role operator on this remote.'
}

/** What to say of an operation that had not ended when it was told last, and is told no more. */
export function untold(last: Operation, why: string): Outcome {
  return {
    tone: 'unknown',
    title: `Unknown how it ended: ${power(last.action).verb} ${last.name ?? last.vmid}`,
    text: why,
    remedy: 'The state of the guest shows what became of it.',
    more: undefined,
    settled: false,
  }
}

/** Several operations in one sentence: `3 of 12 ended: 2 done, 1 failed`. `untold`: taken on, and nothing is known of them. */
export function tally(operations: readonly (Operation | undefined)[], refused: number, untold = 0): string {
  const all = operations.length + refused + untold
  const ended = operations.filter((one) => one?.final)
  const done = ended.filter((one) => one?.success).length
  const failed = ended.filter((one) => one?.state === 'failed').length
  const cancelled = ended.filter((one) => one?.state === 'cancelled').length
  const notSent = ended.filter((one) => one?.state === 'not_sent').length
  const unknown = operations.filter((one) => one?.state === 'outcome_unknown').length
  const parts = [
    [done, 'done'],
    [failed, 'failed'],
    [cancelled, 'cancelled'],
    [notSent, 'not sent'],
    [refused, 'refused'],
    [unknown, 'with unknown outcome'],
    [untold, 'not told of'],
  ] as const
  const told = parts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`)
  return `${ended.length + refused} of ${all} ended${told.length > 0 ? `: ${told.join(', ')}` : ''}`
}

/** Whether it makes sense to ask for the same again: nothing was done, that is known, and nobody wanted it so. */
export function repeatable(operation: Operation): boolean {
  if (takenBack(operation)) return false
  return operation.state === 'failed' || operation.state === 'not_sent' || operation.state === 'cancelled'
}
