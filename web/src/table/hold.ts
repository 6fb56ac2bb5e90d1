/** [Holder]: keeps rows where they are while somebody points at them. */
import type { Identified, Order } from './types'

/** So many places are remembered; beyond, those far away are let go. */
const MOST = 4000
const NEAR = 1000

/** An order as it is shown. */
export interface Held extends Order {
  /** Whether what is shown at a place is not in the list any more, or stands elsewhere in it. */
  gone: (index: number) => boolean
}

/** A held order: rows stay in their places, those seen later join where they are found. */
export class Holder<R extends Identified> {
  #key: string | undefined
  #ids: Map<number, string> | undefined
  #total = 0
  /** Rows as they were drawn last: of one that left the list nobody tells any more. */
  #drawn = new Map<string, R>()
  #before = new Map<string, R>()

  /** The order to be shown. */
  view(order: Order, holding: boolean): Held {
    if (!holding) {
      this.#ids = undefined
      this.#drawn.clear()
      this.#before.clear()
      return { ...order, gone: () => false }
    }
    if (this.#ids === undefined || this.#key !== order.key) {
      this.#ids = new Map()
      this.#key = order.key
      this.#total = order.total
    }
    const ids = this.#ids
    return {
      key: order.key,
      // Growing moves nothing that is on screen; shrinking would.
      total: Math.max(this.#total, order.total),
      has: order.has,
      id: (index) => {
        const held = ids.get(index)
        if (held !== undefined) return held
        const id = order.id(index)
        if (id !== undefined) {
          ids.set(index, id)
          if (ids.size > MOST) for (const at of ids.keys()) if (Math.abs(at - index) > NEAR) ids.delete(at)
        }
        return id
      },
      gone: (index) => {
        const past = index >= order.total
        const held = ids.get(index)
        // Of a place that is not known now nobody can say it.
        return held === undefined ? past : (past || order.id(index) !== undefined) && !order.has(held)
      },
    }
  }

  /** All that is on screen is about to be drawn. */
  draws(): void {
    if (this.#ids === undefined) return
    this.#before = this.#drawn
    this.#drawn = new Map()
  }

  /** A row as it is now, or as it was drawn last. */
  row(id: string, now: R | undefined): R | undefined {
    const row = now ?? this.#drawn.get(id) ?? this.#before.get(id)
    if (row !== undefined && this.#ids !== undefined) this.#drawn.set(id, row)
    return row
  }

  /** Whether what is shown of `first` to `last` is not what it would be. */
  changed(order: Order, first: number, last: number): boolean {
    if (this.#ids === undefined || this.#key !== order.key) return false
    if (order.total !== this.#total) return true
    for (let index = first; index <= last; index += 1) {
      const held = this.#ids.get(index)
      const now = order.id(index)
      if (held !== undefined && now !== undefined && held !== now) return true
    }
    return false
  }

  /** Lets go once: what is shown next is held from then on. */
  release(): void {
    this.#ids = undefined
  }
}
