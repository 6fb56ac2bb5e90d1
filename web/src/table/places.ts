/**
 * Which rows are drawn, where in the document they stand, and how many are drawn anew at a time. Making, throwing away and
 * moving elements costs more than all else that is done in a frame of scrolling: so there are always equally many, each
 * takes over what comes into view, and none is moved until the list rests. Then they stand in the order in which they are
 * read out. Knows neither React nor the document.
 */
import type { Identified } from './types'

/** So many rows are drawn anew in a frame, which is what a turned wheel brings into view in one; the others follow in the next. */
const A_FRAME = 7

/** The rows from `first` to `last` with some around them: always `most` of them, if there are so many. */
export function drawn(first: number, last: number, around: number, most: number, count: number): number[] {
  const from = Math.max(0, Math.min(first - around, count - most))
  const to = Math.min(count, Math.max(from + most, last + 1))
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at)
}

/** What is drawn in a place. */
export interface Drawn<R> {
  row: R | undefined
  /** What it holds is another row's: it must not be seen. */
  blank: boolean
}

export class Places<R extends Identified> {
  #order: number[] = []
  #rows = new Map<number, R>()
  #left = A_FRAME

  /** A frame begins. */
  begin(): void {
    this.#left = A_FRAME
  }

  /** Whether rows are left for the next frame. */
  get behind(): boolean {
    return this.#left < 0
  }

  /** What a place shows of the row that belongs there; `id`: of it, if that much is known. */
  draw(slot: number, id: string | undefined, row: R | undefined): Drawn<R> {
    const had = this.#rows.get(slot)
    if (row !== undefined && row !== had) {
      this.#left -= 1
      if (this.#left >= 0) {
        this.#rows.set(slot, row)
        return { row, blank: false }
      }
    }
    // What was there stays, unseen: filling it in again is cheaper than making it.
    return { row: had, blank: had !== undefined && had.id !== id }
  }

  /** In which order the slots that are in use stand in the document, by the rows that they show. */
  arrange(rows: ReadonlyMap<number, number>, moving: boolean): readonly number[] {
    if (moving) {
      const kept = this.#order.filter((slot) => rows.has(slot))
      const had = new Set(kept)
      for (const slot of rows.keys()) if (!had.has(slot)) kept.push(slot)
      this.#order = kept
    } else {
      this.#order = [...rows].sort(([, a], [, b]) => a - b).map(([slot]) => slot)
    }
    return this.#order
  }
}
