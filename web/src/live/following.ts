/** [Following]: brings the server to tell what is wanted, until it does; knows under which names lists are told. */
import type { ListSubscription, Subscriptions, Topic } from '~/api/types'
import type { Server, World } from './protocol'

/** Wishes that come in one go are told in one go. */
const TOGETHER_MS = 20
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 15_000
/** After so many failures nobody can say any more that anything is live. */
const FAILURES = 3
const USUAL_ROWS = 100

/** Topics, and lists by what they are lists of. */
export interface Wanted {
  topics: Topic[]
  lists: ReadonlyMap<string, ListSubscription>
}

/** What it needs of whoever knows what is wanted. */
export interface Asker {
  /** The stream to tell it to; none while there is no connection. */
  stream(): string | undefined
  /** What is wanted now, without the lists that the server refuses. */
  wanted(refused: ReadonlySet<string>): Wanted
  /** It is told now; events after the one of this id. */
  done(after: number | undefined): void
  failed(why: string, nextTry: number): void
  /** The server has no such stream. */
  unknown(): void
}

export function rowsOf(list: ListSubscription): number {
  return list.limit ?? USUAL_ROWS
}

/** What a list is of: the same text for the same part of the same list. */
export function keyOf(list: ListSubscription): string {
  return JSON.stringify([list.of, list.q ?? '', list.sort ?? '', list.offset ?? 0, rowsOf(list)])
}

export class Following {
  #server: Server
  #world: World
  #asker: Asker
  #names = new Map<string, string>()
  #next = 1
  #told = ''
  #telling = false
  #soon = false
  #failures = 0
  /** Lists that this stream has taken, and those that it never will. */
  #taken = new Set<string>()
  #refused = new Set<string>()
  /** Something is refused: lists are added one by one, to find out which. */
  #doubt = false

  constructor(server: Server, world: World, asker: Asker) {
    this.#server = server
    this.#world = world
    this.#asker = asker
  }

  /** The name on the stream of a list that is followed. */
  nameOf(key: string): string | undefined {
    return this.#names.get(key)
  }

  /** A stream stands that was told nothing. */
  anew(): void {
    this.#told = ''
    this.#failures = 0
    this.#taken.clear()
    this.#refused.clear()
    this.#doubt = false
    this.follow()
  }

  /** Something else is wanted. */
  follow(): void {
    if (this.#soon) return
    this.#soon = true
    this.#world.later(TOGETHER_MS, () => {
      this.#soon = false
      void this.#tell()
    })
  }

  async #tell(): Promise<void> {
    const stream = this.#asker.stream()
    if (stream === undefined || this.#telling) return
    const { topics, lists } = this.#asker.wanted(this.#refused)
    for (const key of this.#names.keys()) if (!lists.has(key)) this.#names.delete(key)
    const keys = this.#now(lists)
    const wanted: Subscriptions = { topics, lists: Object.fromEntries(keys.map((key) => [this.#name(key), lists.get(key)])) as Subscriptions['lists'] }
    const told = JSON.stringify(wanted)
    if (told === this.#told) return
    this.#telling = true
    const outcome = await this.#server.subscribe(stream, wanted)
    this.#telling = false
    if (stream !== this.#asker.stream()) {
      this.#told = ''
      this.follow()
      return
    }
    switch (outcome.is) {
      case 'done':
        this.#told = told
        this.#failures = 0
        keys.forEach((key) => this.#taken.add(key))
        this.#asker.done(outcome.after)
        // Something else may have been wished for meanwhile.
        this.follow()
        return
      case 'unknown':
        this.#asker.unknown()
        return
      case 'refused':
        if (this.#suspect(keys)) this.follow()
        else this.#again('Muster refuses what this browser wants to be told')
        return
      case 'failed':
        this.#again(outcome.why)
    }
  }

  /** The lists to be told of now: all, or, in doubt, one more than those that were taken. */
  #now(lists: ReadonlyMap<string, unknown>): string[] {
    const keys = [...lists.keys()]
    const untried = keys.filter((key) => !this.#taken.has(key))
    if (untried.length === 0) this.#doubt = false
    return this.#doubt ? keys.filter((key) => key === untried[0] || this.#taken.has(key)) : keys
  }

  /** Narrows down what is refused. `false`: it is not a list. */
  #suspect(keys: readonly string[]): boolean {
    const untried = keys.filter((key) => !this.#taken.has(key))
    const [only] = untried
    if (only === undefined) return false
    if (untried.length === 1) this.#refused.add(only)
    else this.#doubt = true
    return true
  }

  #again(why: string): void {
    this.#failures += 1
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1))
    if (this.#failures >= FAILURES) this.#asker.failed(why, this.#world.now() + pause)
    this.#world.later(pause, () => this.follow())
  }

  #name(key: string): string {
    const name = this.#names.get(key) ?? `l${this.#next++}`
    this.#names.set(key, name)
    return name
  }
}
