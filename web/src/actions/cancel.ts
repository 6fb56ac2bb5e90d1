/** Taking back operations that wait: nothing of them has left, and nothing will. */
import { api, problemFrom, Refusal, unwrap } from '~/api/client'
import { once, Undecided } from '~/api/once'
import type { Operation } from '~/api/types'
import { count, many, sentence } from '~/format/format'
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
  const about = { deed: 'cancel', things: [`operation ${id}`], said: `the wish to ${power(action).verb} ${name ?? vmid} was cancelled` }
  return once(undefined, about, (key) =>
    unwrap(api.POST('/api/v1/operations/{id}/cancel', { params: { path: { id }, header: { 'Idempotency-Key': key } } })),
  )
}

/** What became of several. */
export interface Cancelled {
  cancelled: number
  /** Why the others were not, or that nobody knows, by their ids. */
  failed: ReadonlyMap<string, unknown>
}

/** Takes back all that wait among these. */
export async function cancelAll(operations: readonly Operation[]): Promise<Cancelled> {
  const left = operations.filter(waits)
  let cancelled = 0
  const failed = new Map<string, unknown>()
  const work = async () => {
    for (let one = left.shift(); one; one = left.shift()) {
      try {
        await patiently(one)
        cancelled += 1
      } catch (error) {
        failed.set(one.id, error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { cancelled, failed }
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

type Fate = 'left' | 'ended' | 'unknown' | 'refused'

function fateOf(error: unknown): Fate {
  if (error instanceof Undecided) return 'unknown'
  if (!(error instanceof Refusal)) return 'refused'
  return error.code === 'already_sent' ? 'left' : error.code === 'already_ended' ? 'ended' : 'refused'
}

/** The same in a sentence. */
export function cancelledText({ cancelled, failed }: Cancelled): string {
  const fates = [...failed.values()].map(fateOf)
  const number = (fate: Fate) => fates.filter((one) => one === fate).length
  const [left, ended, refused, unknown] = [number('left'), number('ended'), number('refused'), number('unknown')]
  return [
    cancelled > 0 && `${many(cancelled, 'operation')} cancelled, with nothing sent.`,
    left > 0 && `${count(left)} had left before: ${left === 1 ? 'it goes' : 'they go'} on.`,
    ended > 0 && `${count(ended)} had ended before.`,
    refused > 0 && `${count(refused)} could not be cancelled.`,
    unknown > 0 && `Unknown of ${count(unknown)}: no answer came. Ask again.`,
  ]
    .filter(Boolean)
    .join(' ')
}

/** Why one of them was not cancelled, in a sentence. */
export function uncancelled(error: unknown): string {
  switch (fateOf(error)) {
    case 'left':
      return 'Not cancelled: it had left before, and goes on.'
    case 'ended':
      return 'Not cancelled: it had ended before.'
    case 'unknown':
      return 'Unknown whether it was cancelled: no answer came. Ask again.'
    case 'refused': {
      const { detail, title } = problemFrom(error)
      return `Not cancelled: ${sentence(detail ?? title)}`
    }
  }
}
