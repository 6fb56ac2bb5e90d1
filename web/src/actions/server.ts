/** What the console asks the server about actions: what would be done, and to do it. */
import { api, unwrap } from '~/api/client'
import type { Action, Availability, Freshness, Operation, Problem, Schemas } from '~/api/types'
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
  observedAt: string | null
  why: string | null
  availability: Availability
  showAs: ShowAs | null
}

export type ShowAs = Schemas['ShowAs']

/** What became of one of the guests when it was asked for. */
export interface StartedItem {
  target: Target
  /** It was taken on, as this operation; also where nothing more could be told of it. */
  id: string | null
  operation: Operation | null
  /** Why it was refused; of what was taken on, why nothing more could be told. */
  problem: Problem | null
}

function body({ action, targets, options }: Wish) {
  return { action, targets: targets.map(({ remote, vmid }) => ({ remote, vmid })), options: options ?? {} }
}

/** What a wish would do. Nothing is sent to any host. */
export async function planOf(wish: Wish, signal?: AbortSignal): Promise<PlanItem[]> {
  const plan = await unwrap(api.POST('/api/v1/operations/plan', { body: body(wish), signal: signal ?? null }))
  return plan.items.map((item, index) => planned(item, wish.targets[index]))
}

/** An item of the server's plan; `asked` is what was asked about, which may know a name where the server does not. */
export function planned(item: Schemas['PlanItem'], asked: Target | undefined): PlanItem {
  return {
    target: asked ?? { remote: item.remote, vmid: item.vmid },
    name: item.name ?? asked?.name ?? null,
    node: item.node ?? asked?.node ?? null,
    remote: item.remote,
    word: item.state ?? 'unknown',
    freshness: freshnessOf(item),
    observedAt: item.observed_at ?? null,
    why: item.stale_why ?? null,
    availability: item,
    showAs: item.show_as ?? null,
  }
}

function freshnessOf(item: Schemas['PlanItem']): Freshness | null {
  switch (item.freshness) {
    case 'live':
    case 'never_seen':
      return { freshness: item.freshness }
    case 'stale':
      // Why, the plan says in words.
      return { freshness: 'stale', since: item.observed_at ?? '', why: { kind: 'overdue' } }
    default:
      return null
  }
}

/** Asks for one. The key is that of the wish: the same wish may be sent again with it. */
export async function startOne(wish: Wish, target: Target, key: string): Promise<Operation> {
  const begun = await unwrap(
    api.POST('/api/v1/operations', {
      body: { remote: target.remote, vmid: target.vmid, action: wish.action, options: wish.options ?? {} },
      headers: { 'Idempotency-Key': key },
    }),
  )
  // Asked about one guest, the answer is its operation.
  return begun as Operation
}

/** Asks for all; each is accepted or refused by itself. */
export async function startAll(wish: Wish, key: string): Promise<StartedItem[]> {
  const begun = await unwrap(api.POST('/api/v1/operations', { body: body(wish), headers: { 'Idempotency-Key': key } }))
  const { items } = begun as Schemas['Started']
  return items.map((item, index) => ({
    target: wish.targets[index] ?? { remote: item.remote, vmid: item.vmid },
    id: item.operation_id ?? item.operation?.id ?? null,
    operation: item.operation ?? null,
    problem: item.problem ?? null,
  }))
}
