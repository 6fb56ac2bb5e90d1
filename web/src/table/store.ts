/**
 * [ListStore]: one list of the server as far as it is on screen. Pages are asked for as the window moves; once it rests,
 * the live stream follows it. Rows seen lately stay as placeholders. Knows neither React nor the network: both are
 * handed in.
 */
import type { Counts, ListSubscription } from '~/api/types'
import { passes, pauseAfter } from './again'
import { ahead, missing, type Part, partOf } from './window'
import type { Identified, Order, Source } from './types'

/** An answer of the list. */
export interface ListPage<R> {
  items: R[]
  total: number
  counts?: Counts | undefined
}

/** A part of the list as the stream tells it. */
export interface ToldPart<R> {
  rows: ReadonlyMap<string, R>
  order: readonly string[]
  total: number
  counts: Counts
}

export interface Question {
  q: string
  sort: string
}

export interface Ports<R> {
  page(question: Question, part: Part, signal: AbortSignal): Promise<ListPage<R>>
  /** Follows a part; the answer ends it. `undefined`: the stream tells nothing of such lists. */
  follow?: (part: ListSubscription, told: (part: ToldPart<R> | undefined) => void) => () => void
  of: ListSubscription['of'] | undefined
  /** What was known of an earlier question, and a place to keep it. */
  recall(key: string): Known<R> | undefined
  keep(key: string, known: Known<R>): void
  /** Whether anybody looks: what nobody sees is not asked for again. */
  watched(): boolean
  now(): number
}

/** What is shown of a list of the server. */
export interface Shown<R> extends Source<R> {
  counts: Counts | undefined
  /** When the rows on screen were told last. */
  at: number | undefined
  /** Asks for what is on screen anew, since something in it may be another. */
  refresh: () => void
}

/** What is known of the answer to one question. */
export interface Known<R> {
  key: string
  ids: ReadonlyMap<number, string>
  rows: ReadonlyMap<string, R>
  total: number
  counts: Counts | undefined
}

/** The first answer has so many rows: more than most screens. */
const FIRST = 50
/** Until the screen says how many it shows. */
const SHOWN = 25
/** The window rests when it has not moved for so long. */
const REST_MS = 180
/** So often is asked for what the stream does not tell. */
const POLL_MS = 5000
/** Rows this far from the window are forgotten. */
const FAR = 700

export class ListStore<R extends Identified> {
  #ports: Ports<R>
  #listeners = new Set<() => void>()
  #question: Question | undefined
  #key = ''
  #known: Known<R> | undefined
  #error: unknown
  #first = 0
  #last = SHOWN - 1
  #asking: AbortController | undefined
  /** Where it moves to: below 0 towards the beginning. */
  #way = 0
  #followed = ''
  #part: Part | undefined
  #unfollow: (() => void) | undefined
  /** The stream has told the part that is followed. */
  #heard = false
  /** The stream proves itself live: what it told is so now. */
  #live = true
  #failures = 0
  #at: number | undefined
  #rest: ReturnType<typeof setTimeout> | undefined
  #next: ReturnType<typeof setTimeout> | undefined
  #begun = false
  #snapshot: Shown<R>

  constructor(ports: Ports<R>) {
    this.#ports = ports
    this.#snapshot = this.#shot()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  snapshot = (): Shown<R> => this.#snapshot

  /** Shows what is remembered of a question, before anything is asked. */
  open(question: Question): void {
    this.#key = keyOf(question)
    this.#known = this.#ports.recall(this.#key)
    this.#snapshot = this.#shot()
  }

  /** Begins; what comes back ends it. */
  start(): () => void {
    this.#begun = true
    this.#plan()
    const question = this.#question
    if (question) {
      this.#question = undefined
      this.ask(question)
    }
    return () => {
      this.#begun = false
      clearTimeout(this.#next)
      clearTimeout(this.#rest)
      this.#asking?.abort()
      this.#asking = undefined
      this.#keep()
      this.#let()
    }
  }

  /** Says whether the stream is live. While it is not, what it told is asked for like the rest. */
  streamed(live: boolean): void {
    if (live === this.#live) return
    if (!live && this.#told) this.#at = this.#ports.now()
    this.#live = live
    this.#say()
  }

  /** The stream tells what is on screen. */
  get #told(): boolean {
    return this.#heard && this.#live
  }

  /** Asks again after a while: what nobody tells, and what failed. */
  #plan(): void {
    clearTimeout(this.#next)
    if (!this.#begun) return
    this.#next = setTimeout(() => {
      const wanted = this.#error === undefined ? !this.#told : passes(this.#error)
      if (wanted && this.#ports.watched()) void this.#ask(partOf(this.#first, this.#last, this.#known?.total))
      else this.#plan()
    }, this.#error === undefined ? POLL_MS : pauseAfter(this.#failures))
  }

  /** Asks another question. Until its answer is there, what is known stays. */
  ask(question: Question): void {
    if (this.#question?.q === question.q && this.#question.sort === question.sort) return
    this.#question = question
    this.#key = keyOf(question)
    this.#error = undefined
    this.#failures = 0
    this.#keep()
    this.#let()
    clearTimeout(this.#rest)
    this.#asking?.abort()
    const recalled = this.#ports.recall(this.#key)
    if (recalled) this.#known = recalled
    if (this.#known?.key !== this.#key) {
      this.#first = 0
      this.#last = SHOWN - 1
      this.#way = 0
    }
    this.#say()
    void this.#ask(recalled ? partOf(this.#first, this.#last, recalled.total) : { offset: 0, limit: FIRST })
  }

  async #ask(part: Part): Promise<void> {
    const question = this.#question
    if (!question) return
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    try {
      const page = await this.#ports.page(question, part, asking.signal)
      if (asking.signal.aborted) return
      this.#error = undefined
      this.#failures = 0
      this.#at = this.#ports.now()
      // The stream is newer than any answer, where it tells.
      this.#put(part, page, this.#told ? this.#part : undefined)
    } catch (error) {
      if (asking.signal.aborted) return
      this.#error = error
      this.#failures += 1
      this.#say()
    }
    if (this.#asking === asking) this.#asking = undefined
    this.#plan()
    if (this.#error === undefined) this.#seek()
  }

  /** Says which rows are on screen. */
  look = (first: number, last: number): void => {
    if (first === this.#first && last === this.#last) return
    this.#way = first - this.#first
    this.#first = first
    this.#last = last
    if (this.#known?.key === this.#key) this.#seek()
  }

  again = (): void => {
    this.#error = undefined
    this.#say()
    void this.#ask(partOf(this.#first, this.#last, this.#known?.total))
  }

  refresh = (): void => {
    if (this.#begun && this.#error === undefined) void this.#ask(partOf(this.#first, this.#last, this.#known?.total))
  }

  all = async (most: number): Promise<R[]> => {
    const question = this.#question
    if (!question) return []
    return (await this.#ports.page(question, { offset: 0, limit: most }, new AbortController().signal)).items
  }

  /** Asks for what is not known of the window, then of what it moves to; follows it once it rests. */
  #seek(): void {
    const known = this.#known
    const part = partOf(this.#first, this.#last, known?.total)
    if (!this.#asking && this.#error === undefined && known) {
      const isKnown = (index: number) => known.ids.has(index)
      const window = { first: this.#first, last: this.#last, way: this.#way }
      const wanted = missing(part, known.total, isKnown) ?? ahead(window, known.total, isKnown)
      if (wanted) void this.#ask(wanted)
    }
    clearTimeout(this.#rest)
    this.#rest = setTimeout(() => {
      this.#way = 0
      this.#keep()
      this.#follow(part)
    }, REST_MS)
  }

  #keep(): void {
    if (this.#known) this.#ports.keep(this.#known.key, this.#known)
  }

  #follow(part: Part): void {
    const { follow, of } = this.#ports
    const question = this.#question
    if (!follow || !of || !question) return
    const key = `${this.#key} ${part.offset} ${part.limit}`
    if (key === this.#followed) return
    const before = this.#unfollow
    this.#followed = key
    this.#part = part
    this.#heard = false
    this.#unfollow = follow({ of, q: question.q, sort: question.sort, offset: part.offset, limit: part.limit }, (told) => {
      if (this.#followed !== key) return
      if (told === undefined) this.#forgotten()
      else this.#hear(part, told)
    })
    before?.()
  }

  #let(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
    this.#followed = ''
    this.#part = undefined
    this.#heard = false
  }

  #hear(part: Part, told: ToldPart<R>): void {
    this.#heard = true
    const items = told.order.flatMap((id) => told.rows.get(id) ?? [])
    // Rows that are announced but not told yet leave no hole: what is there is shown once all of it is.
    if (items.length !== told.order.length) return
    this.#at = this.#ports.now()
    this.#put(part, { items, total: told.total, counts: told.counts }, undefined)
  }

  /** What the stream told before is void: what is not told anew may not even be seen any more. */
  #forgotten(): void {
    if (!this.#heard) return
    this.#heard = false
    const known = this.#known
    if (!known) return
    const ids = new Map([...known.ids].filter(([index]) => index >= this.#first && index <= this.#last))
    this.#known = { ...known, ids, rows: rowsOf(ids, known.rows) }
    this.#say()
  }

  /** `told`: a part that stays as it is, since something newer has told it. */
  #put({ offset, limit }: Part, { items, total, counts }: ListPage<R>, told: Part | undefined): void {
    const had = this.#known?.key === this.#key ? this.#known : undefined
    const ids = new Map(had?.ids)
    const rows = new Map(had?.rows)
    const newer = (index: number) => told !== undefined && index >= told.offset && index < told.offset + told.limit
    const kept = new Set(told && [...ids].flatMap(([index, id]) => (newer(index) ? id : [])))
    for (let index = offset; index < offset + limit; index += 1) if (!newer(index)) ids.delete(index)
    items.forEach((row, at) => {
      if (!newer(offset + at)) ids.set(offset + at, row.id)
      if (!kept.has(row.id)) rows.set(row.id, row)
    })
    const all = told && had ? had.total : total
    if (had && all < had.total) for (const index of ids.keys()) if (index >= all) ids.delete(index)
    if (ids.size > 2 * FAR) for (const index of ids.keys()) if (Math.abs(index - this.#first) > FAR) ids.delete(index)
    this.#known = {
      key: this.#key,
      ids,
      rows: rows.size > 4 * FAR ? rowsOf(ids, rows) : rows,
      total: all,
      counts: same(had?.counts, (told ? had?.counts : undefined) ?? counts),
    }
    this.#say()
  }

  #shot(): Shown<R> {
    const known = this.#known
    return {
      order: known && orderOf(known),
      row: (id) => known?.rows.get(id),
      pending: known?.key !== this.#key,
      error: this.#error,
      counts: known?.counts,
      at: this.#at,
      again: this.again,
      refresh: this.refresh,
      look: this.look,
      all: this.all,
    }
  }

  #say(): void {
    this.#snapshot = this.#shot()
    this.#listeners.forEach((tell) => tell())
  }
}

function orderOf<R>(known: Known<R>): Order {
  let all: Set<string> | undefined
  return {
    key: known.key,
    total: known.total,
    id: (index) => known.ids.get(index),
    has: (id) => (all ??= new Set(known.ids.values())).has(id),
  }
}

/** The one that is had, if the other says the same: what shows it is not drawn anew with every page. */
function same(had: Counts | undefined, now: Counts | undefined): Counts | undefined {
  return now === undefined || JSON.stringify(had) === JSON.stringify(now) ? had : now
}

function keyOf({ q, sort }: Question): string {
  return JSON.stringify([q, sort])
}

function rowsOf<R>(ids: ReadonlyMap<number, string>, rows: ReadonlyMap<string, R>): Map<string, R> {
  const made = new Map<string, R>()
  for (const id of ids.values()) {
    const row = rows.get(id)
    if (row !== undefined) made.set(id, row)
  }
  return made
}
