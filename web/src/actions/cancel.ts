/** Taking back operations that wait: nothing of them has left, and nothing will. */
import { api, problemFrom, Refusal, unwrap } from '~/api/client'
import { once, Undecided } from '~/api/once'
import type { Operation } from '~/api/types'
import { count, many } from '~/format/format'
import { power } from './table'

/** So many are taken back at the same time. */
const AT_ONCE = 4
/** What is refused for its pace is asked for again this often. */
const TRIES = 5
const PAUSE_S = 1

/** Whether an operation can still be taken back. */
export function waits(operation: Pick<Operation, 'state'>): boolean {
  return operation.state === 'pending'
}

/** Whether it was taken back: cancelled, and nothing was sent. */
export function takenBack(operation: Pick<Operation, 'state' | 'dispatch' | 'task'>): boolean {
  return operation.state === 'cancelled' && operation.dispatch == null && operation.task == null
}

/** Takes one back; the answer is the operation as it stands then. */
export function cancel({ id, action, name, vmid }: Operation): Promise<Operation> {
  const about = { deed: 'cancel', things: [`operation ${id}`], said: `it was cancelled: ${power(action).verb} ${name ?? vmid}` }
  return once(undefined, about, (key) =>
    unwrap(api.POST('/api/v1/operations/{id}/cancel', { params: { path: { id }, header: { 'Idempotency-Key': key } } })),
  )
}

/** What became of several. */
export interface Cancelled {
  cancelled: number
  /** These had been sent, or had ended. */
  late: number
  /** Of these nobody knows. */
  unknown: number
  /** These were refused, or nobody knows. */
  errors: readonly unknown[]
}

const LATE = new Set(['already_sent', 'already_ended'])

/** Takes back all that wait among these. */
export async function cancelAll(operations: readonly Operation[]): Promise<Cancelled> {
  const left = operations.filter(waits)
  const made = { cancelled: 0, late: 0, unknown: 0, errors: [] as unknown[] }
  const work = async () => {
    for (let one = left.shift(); one; one = left.shift()) {
      try {
        await patiently(one)
        made.cancelled += 1
      } catch (error) {
        if (error instanceof Refusal && LATE.has(error.code)) made.late += 1
        else {
          made.errors.push(error)
          if (error instanceof Undecided) made.unknown += 1
        }
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return made
}

async function patiently(operation: Operation): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await cancel(operation)
      return
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 429 || tries >= TRIES) throw error
      await new Promise((resume) => setTimeout(resume, 1000 * (error.retryAfter ?? PAUSE_S)))
    }
  }
}

/** The same in a sentence. */
export function cancelledText({ cancelled, late, unknown, errors }: Cancelled): string {
  const refused = errors.length - unknown
  const why = errors.length > 0 ? problemFrom(errors[0]) : undefined
  return [
    `${many(cancelled, 'operation')} cancelled, with nothing sent.`,
    late > 0 && `${count(late)} had left before: ${late === 1 ? 'it goes' : 'they go'} on.`,
    refused > 0 && `${count(refused)} could not be cancelled.`,
    unknown > 0 && `Unknown whether ${count(unknown)} more ${unknown === 1 ? 'was' : 'were'} cancelled: no answer came. Ask again.`,
    why && (why.detail ?? why.title),
  ]
    .filter(Boolean)
    .join(' ')
}
