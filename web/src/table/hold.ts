/** [Holder]: keeps rows where they are while somebody points at them. */
import type { Order } from './types'

/** A held order: rows stay in their places, those seen later join where they are found. */
export class Holder {
  #key: string | undefined
  #ids: Map<number, string> | undefined
  #total = 0

  /** The order to be shown. */
  view(order: Order, holding: boolean): Order {
    if (!holding) {
      this.#ids = undefined
      return order
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
      id: (index) => {
        const held = ids.get(index)
        if (held !== undefined) return held
        const id = order.id(index)
        if (id !== undefined) ids.set(index, id)
        return id
      },
    }
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
