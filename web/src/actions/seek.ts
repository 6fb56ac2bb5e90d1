/**
 * Looking for what became of wishes that had no answer: [foundOf] tells which operations they are, [seek] watches for them.
 * An operation of the same person, with the same action on the same guest, from after the wish was sent, is its operation.
 */
import { api, unwrap } from '~/api/client'
import { serverNow } from '~/api/clock'
import type { Operation } from '~/api/types'
import { quoted } from '~/query/terms'
import type { Target, Wish } from './server'
import { told, watch } from './watch'

/** By so much the two clocks may be apart, as far as they are known. */
const SLACK_MS = 3000
/** What is in no list after this long never arrived: no proxy holds a request back for longer. */
const LATE_MS = 10 * 60_000
/** By then all that was taken on of a wish for many is written down. */
const SETTLED_MS = 30_000
/** Asked for as often as operations are followed at first, then at every tenth turn. */
const SOON_MS = 60_000
const RARELY = 10
/** The largest page of a list. */
const PAGE = 1000

/** A wish that was sent, by whom, and when by the server's clock. */
export interface Sent {
  wish: Pick<Wish, 'action' | 'targets'>
  user: string
  at: number
}

/** The operation that each guest's part of a wish has become; absent where there is none. */
export function foundOf({ wish, user, at }: Sent, known: Iterable<Operation>): (Operation | undefined)[] {
  const mine = [...known].filter(
    (one) => one.action === wish.action && one.author.name === user && Date.parse(one.requested) >= at - SLACK_MS,
  )
  const first = (target: Target) =>
    mine
      .filter((one) => one.vmid === target.vmid && (String(one.remote_id) === target.remote || one.remote === target.remote))
      .sort((a, b) => Date.parse(a.requested) - Date.parse(b.requested))[0]
  return wish.targets.map(first)
}

export interface Seeker {
  /** It did arrive: the operation for each guest; absent where none was taken on. */
  found: (operations: readonly (Operation | undefined)[]) => void
  /** It is in no list, and will not come any more. */
  never: () => void
}

/** Watches until it is found, or will not come any more, or what comes back is called. */
export function seek(sent: Sent, { found, never }: Seeker): () => void {
  let over = false
  let asking = false
  let turn = 0
  const end = () => {
    over = true
    stop()
  }
  const judge = (known: Iterable<Operation>, whole: boolean): boolean => {
    if (over) return true
    const all = foundOf(sent, known)
    const some = whole && serverNow() - sent.at > SETTLED_MS && all.some((one) => one !== undefined)
    if (!some && !all.every((one) => one !== undefined)) return false
    end()
    found(all)
    return true
  }
  const look = () => {
    const known = told()
    if (known) judge(known.values(), false)
  }
  // The stream tells the newest of all people only: what it does not tell may be there all the same.
  const ask = () => {
    turn += 1
    if (asking || (serverNow() - sent.at > SOON_MS && turn % RARELY !== 0)) return
    asking = true
    const query = { q: `user:${quoted(sent.user)} action:${sent.wish.action} age<15m`, limit: PAGE }
    const answered = ({ items }: { items: readonly Operation[] }) => {
      if (judge(items, true) || serverNow() - sent.at < LATE_MS) return
      end()
      never()
    }
    unwrap(api.GET('/api/v1/operations', { params: { query } }))
      .then(answered, () => undefined)
      .finally(() => {
        asking = false
      })
  }
  const stop = watch({ look, ask })
  return end
}
