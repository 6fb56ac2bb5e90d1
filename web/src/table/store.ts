/**
 * [ListStore]: one list of the server as far as it is on screen. Pages are asked for as the window moves; once it rests,
 * the live stream follows it. Rows seen lately stay as placeholders. Knows neither React nor the network: both are
 * handed in.
 */
import type { Counts, ListSubscription } from '~/api/types'
import { missing, type Part, partOf } from './window'
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
/** The window rests when it has not moved for so long. */
const REST_MS = 180
/** So often is asked for what the stream does not tell. */
const POLL_MS = 5000
/** Rows this far from the window are forgotten. */
const FAR = 1500

export class ListStore<R extends Identified> {
  #ports: Ports<R>
  #listeners = new Set<() => void>()
  #question: Question | undefined
  #key = ''
  #known: Known<R> | undefined
  #error: unknown
  #first = 0
  #last = FIRST - 1
  #asking: AbortController | undefined
  #followed = ''
  #unfollow: (() => void) | undefined
  #told = false
  #rest: ReturnType<typeof setTimeout> | undefined
  #poll: ReturnType<typeof setInterval> | undefined
  #snapshot: Source<R> & { counts: Counts | undefined }

  constructor(ports: Ports<R>) {
    this.#ports = ports
    this.#snapshot = this.#shot()
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  snapshot = (): Source<R> & { counts: Counts | undefined } => this.#snapshot

  /** Shows what is remembered of a question, before anything is asked. */
  open(question: Question): void {
    this.#key = keyOf(question)
    this.#known = this.#ports.recall(this.#key)
    this.#snapshot = this.#shot()
  }

  /** Begins; what comes back ends it. */
  start(): () => void {
    this.#poll = setInterval(() => {
      if (!this.#told && this.#error === undefined) void this.#ask(partOf(this.#first, this.#last, this.#known?.total))
    }, POLL_MS)
    const question = this.#question
    if (question) {
      this.#question = undefined
      this.ask(question)
    }
    return () => {
      clearInterval(this.#poll)
      clearTimeout(this.#rest)
      this.#asking?.abort()
      this.#asking = undefined
      this.#let()
    }
  }

  /** Asks another question. Until its answer is there, what is known stays. */
  ask(question: Question): void {
    if (this.#question?.q === question.q && this.#question.sort === question.sort) return
    this.#question = question
    this.#key = keyOf(question)
    this.#error = undefined
    this.#let()
    clearTimeout(this.#rest)
    this.#asking?.abort()
    const recalled = this.#ports.recall(this.#key)
    if (recalled) this.#known = recalled
    if (this.#known?.key !== this.#key) {
      this.#first = 0
      this.#last = FIRST - 1
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
      // The stream is newer than any answer, where it tells.
      this.#put(part.offset, part.limit, page.items, page.total, page.counts)
    } catch (error) {
      if (asking.signal.aborted) return
      this.#error = error
      this.#say()
    }
    if (this.#asking === asking) this.#asking = undefined
    if (this.#error === undefined) this.#seek()
  }

  /** Says which rows are on screen. */
  look = (first: number, last: number): void => {
    if (first === this.#first && last === this.#last) return
    this.#first = first
    this.#last = last
    if (this.#known?.key === this.#key) this.#seek()
  }

  again = (): void => {
    this.#error = undefined
    this.#say()
    void this.#ask(partOf(this.#first, this.#last, this.#known?.total))
  }

  all = async (most: number): Promise<R[]> => {
    const question = this.#question
    if (!question) return []
    return (await this.#ports.page(question, { offset: 0, limit: most }, new AbortController().signal)).items
  }

  /** Asks for what is not known of the window; follows it once it rests. */
  #seek(): void {
    const known = this.#known
    const part = partOf(this.#first, this.#last, known?.total)
    if (!this.#asking && known) {
      const unknown = missing(part, known.total, (index) => known.ids.has(index))
      if (unknown) void this.#ask(unknown)
    }
    clearTimeout(this.#rest)
    this.#rest = setTimeout(() => this.#follow(part), REST_MS)
  }

  #follow(part: Part): void {
    const { follow, of } = this.#ports
    const question = this.#question
    if (!follow || !of || !question) return
    const key = `${this.#key} ${part.offset} ${part.limit}`
    if (key === this.#followed) return
    const before = this.#unfollow
    this.#followed = key
    this.#told = false
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
    this.#told = false
  }

  #hear(part: Part, told: ToldPart<R>): void {
    this.#told = true
    const items = told.order.flatMap((id) => told.rows.get(id) ?? [])
    // Rows that are announced but not told yet leave no hole: what is there is shown once all of it is.
    if (items.length !== told.order.length) return
    this.#put(part.offset, part.limit, items, told.total, told.counts)
  }

  /** What the stream told before is void: what is not told anew may not even be seen any more. */
  #forgotten(): void {
    if (!this.#told) return
    this.#told = false
    const known = this.#known
    if (!known) return
    const ids = new Map([...known.ids].filter(([index]) => index >= this.#first && index <= this.#last))
    this.#known = { ...known, ids, rows: rowsOf(ids, known.rows) }
    this.#say()
  }

  #put(offset: number, limit: number, items: readonly R[], total: number, counts: Counts | undefined): void {
    const had = this.#known?.key === this.#key ? this.#known : undefined
    const ids = new Map(had?.ids)
    const rows = new Map(had?.rows)
    for (let at = 0; at < limit; at += 1) ids.delete(offset + at)
    items.forEach((row, at) => {
      ids.set(offset + at, row.id)
      rows.set(row.id, row)
    })
    if (had && total < had.total) for (const index of ids.keys()) if (index >= total) ids.delete(index)
    if (ids.size > 2 * FAR) for (const index of ids.keys()) if (Math.abs(index - this.#first) > FAR) ids.delete(index)
    const kept = rows.size > 4 * FAR ? rowsOf(ids, rows) : rows
    this.#known = { key: this.#key, ids, rows: kept, total, counts: counts ?? had?.counts }
    this.#ports.keep(this.#key, this.#known)
    this.#say()
  }

  #shot(): Source<R> & { counts: Counts | undefined } {
    const known = this.#known
    const order: Order | undefined = known && { key: known.key, total: known.total, id: (index) => known.ids.get(index) }
    return {
      order,
      row: (id) => known?.rows.get(id),
      pending: known?.key !== this.#key,
      error: this.#error,
      counts: known?.counts,
      again: this.again,
      look: this.look,
      all: this.all,
    }
  }

  #say(): void {
    this.#snapshot = this.#shot()
    this.#listeners.forEach((tell) => tell())
  }
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
