/**
 * Asking the server for what a person wishes, at most once: [ask]. Where no answer comes the wish keeps its key, and the
 * operations are watched for what became of it, also after the dialog or notice was closed.
 */
import { Refusal, unanswered } from '~/api/client'
import { serverNow } from '~/api/clock'
import { type About, once, wishes } from '~/api/once'
import type { Operation, Problem } from '~/api/types'
import { many } from '~/format/format'
import { sayNotDone } from '~/ui/notDone'
import { seek } from './seek'
import { startAll, startOne, type StartedItem, type Target, type Wish } from './server'
import { power } from './table'

let user = ''

/** Says who is signed in: only their own operations can be what became of a wish. */
export function askAs(name: string): void {
  user = name
}

/** A wish as it is sent, whatever else is known of its targets, and in whichever order they were picked. */
function sentAs({ action, targets, options }: Wish): Wish {
  const bare = targets.map(({ remote, vmid }) => ({ remote, vmid }))
  bare.sort((a, b) => Number(a.remote) - Number(b.remote) || a.remote.localeCompare(b.remote) || a.vmid - b.vmid)
  return { action, targets: bare, options: options ?? {} }
}

function thing({ remote, vmid }: Target): string {
  return `guest ${remote}/${vmid}`
}

/** Whom a wish concerns: a name, or how many. */
export function whom({ targets }: Wish): string {
  const [only] = targets
  return targets.length === 1 && only ? (only.name ?? String(only.vmid)) : many(targets.length, 'guest')
}

function about(wish: Wish): About {
  const { verb } = power(wish.action)
  const were = wish.targets.length === 1 ? 'was' : 'were'
  return { deed: 'power', things: sentAs(wish).targets.map(thing), said: `${whom(wish)} ${were} asked to ${verb}` }
}

/** What is unknown of the same guests, of other wishes than this one. */
export function unknownOf(wish: Wish): string[] {
  return wishes.unknown(sentAs(wish), about(wish))
}

/** What is found of a wish that had no answer. */
type Found = (started: StartedItem[]) => void

type Taken = (operations: readonly (Operation | undefined)[]) => StartedItem[]

/** The rest of the same wish did arrive. */
const NOT_TAKEN: Problem = {
  type: 'urn:muster:console:not_taken',
  title: 'Not taken on',
  status: 0,
  detail: 'No operation of it was written down. Why is not known: no answer came.',
}

interface Lost {
  found: Found
  stop: () => void
}

const lost = new Map<string, Lost>()

/** Another one after each end of a session: what was asked for before is nobody's business then. */
let era = 0

/** What nobody is told any more. That it was not done is said without a name, to whoever signs in next. */
function untold(error?: unknown): Promise<never> {
  if (error instanceof Refusal && error.status === 401) sayNotDone(error, 'What was asked for last was not done')
  return new Promise(() => undefined)
}

/**
 * Asks for it. What no answer came of may be found later, which `found` is told, unless the same was asked for again
 * meanwhile. Throws a refusal, or an `Undecided` where nobody knows.
 */
export async function ask(wish: Wish, found: Found): Promise<StartedItem[]> {
  const sent = sentAs(wish)
  const text = JSON.stringify(sent)
  const at = serverNow()
  const mine = era
  const named = (one: Target) => wish.targets.find((target) => target.vmid === one.vmid && target.remote === one.remote) ?? one
  const taken: Taken = (operations) =>
    sent.targets.map((target, index) => {
      const operation = operations[index] ?? null
      return { target: named(target), id: operation?.id ?? null, operation, problem: operation ? null : NOT_TAKEN }
    })
  const [only] = sent.targets
  try {
    const items =
      sent.targets.length === 1 && only
        ? taken([await once(sent, about(wish), (key) => startOne(sent, only, key))])
        : (await once(sent, about(wish), (key) => startAll(sent, key))).map((item) => ({ ...item, target: named(item.target) }))
    if (mine !== era) return await untold()
    forget(text)
    return items
  } catch (error) {
    if (mine !== era) return untold(error)
    if (!unanswered(error)) forget(text)
    else {
      const had = lost.get(text)
      if (had) had.found = found
      else lost.set(text, { found, stop: look(sent, at, about(wish), text, taken) })
    }
    throw error
  }
}

function look(sent: Wish, at: number, of: About, text: string, taken: Taken): () => void {
  const over = () => {
    wishes.settle(sent, of)
    const had = lost.get(text)
    lost.delete(text)
    return had
  }
  return seek(
    { wish: sent, user, at },
    {
      found: (operations) => over()?.found(taken(operations)),
      never: () => void over(),
    },
  )
}

function forget(text: string): void {
  lost.get(text)?.stop()
  lost.delete(text)
}

/** The session is over: nothing is looked for any more, and what is still on its way is told to nobody. */
export function forgetLost(): void {
  era += 1
  for (const text of [...lost.keys()]) forget(text)
}
