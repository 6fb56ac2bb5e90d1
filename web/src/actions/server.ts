/** What the console asks the server about actions: what would be done, and to do it. */
import { api, problemFrom, unwrap } from '~/api/client'
import type { Action, Availability, Freshness, Operation, Problem } from '~/api/types'
import { availabilityOf } from './decide'
import type { PowerOptions } from './table'

/** A guest to be acted on. What is known of it beside its place is shown until the server has told more. */
export interface Target {
  /** The remote, by id or name. */
  remote: string
  vmid: number
  name?: string | null | undefined
  node?: string | undefined
}

/** One wish, however often it is sent. */
export interface Wish {
  action: Action
  targets: readonly Target[]
  options?: PowerOptions
}

/** What would be done with one guest. */
export interface PlanItem {
  target: Target
  name: string | null
  node: string | null
  remote: string
  /** Its state in a word. */
  word: string
  freshness: Freshness | null
  why: string | null
  availability: Availability
  showAs?: ShowAs | undefined
}

/** The same as a command and as calls. */
export interface ShowAs {
  command: string
  call: { method: string; path: string; parameters: unknown }
  api: { method: string; path: string; body: unknown }
}

/** What became of one of the guests when it was asked for. */
export interface StartedItem {
  target: Target
  operation: Operation | null
  problem: Problem | null
}

const AT_ONCE = 8

/** The same for each, a few at once, in order. */
async function each<T, R>(all: readonly T[], act: (one: T, index: number) => Promise<R>): Promise<R[]> {
  const made: R[] = []
  let next = 0
  const work = async () => {
    for (let index = next++; index < all.length; index = next++) made[index] = await act(all[index] as T, index)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, work))
  return made
}

/** What a wish would do. Nothing is sent to any host. */
export async function planOf(wish: Wish, signal?: AbortSignal): Promise<PlanItem[]> {
  return each(wish.targets, async (target) => {
    try {
      const path = { remote: target.remote, vmid: target.vmid }
      const guest = await unwrap(
        api.GET('/api/v1/guests/{remote}/{vmid}', { params: { path, query: { look: false } }, signal: signal ?? null }),
      )
      return {
        target,
        name: guest.name ?? null,
        node: guest.node,
        remote: guest.remote,
        word: guest.word,
        freshness: guest,
        why: guest.stale_why ?? null,
        availability: availabilityOf(guest, wish.action) ?? { availability: 'available' },
      }
    } catch (error) {
      const problem = problemFrom(error)
      return {
        target,
        name: target.name ?? null,
        node: target.node ?? null,
        remote: target.remote,
        word: 'unknown',
        freshness: null,
        why: null,
        availability: { availability: 'disabled', reason: problem.detail ?? problem.title, remedy: problem.remedy ?? '' },
      }
    }
  })
}

/** Asks for one. The key is that of the wish: the same wish may be sent again with it. */
export function startOne(wish: Wish, target: Target, key: string): Promise<Operation> {
  return unwrap(
    api.POST('/api/v1/operations', {
      body: { remote: target.remote, vmid: target.vmid, action: wish.action, options: wish.options ?? {} },
      headers: { 'Idempotency-Key': key },
    }),
  )
}

/** Asks for all; each is accepted or refused by itself. */
export async function startAll(wish: Wish, key: string): Promise<StartedItem[]> {
  return each(wish.targets, async (target, index) => {
    try {
      return { target, operation: await startOne(wish, target, `${key}.${index}`), problem: null }
    } catch (error) {
      return { target, operation: null, problem: problemFrom(error) }
    }
  })
}
