/** Which rows are selected. Pure; rows are kept, since those far away are not at hand. */
import type { Identified } from './types'

export type Selected<R> = ReadonlyMap<string, R>

/** With a row in it, or out of it. */
export function toggled<R extends Identified>(selected: Selected<R>, row: R, on = !selected.has(row.id)): Selected<R> {
  const made = new Map(selected)
  if (on) made.set(row.id, row)
  else made.delete(row.id)
  return made
}

/** With all rows from one place to another in it. Rows that are not known are left out. */
export function ranged<R extends Identified>(
  selected: Selected<R>,
  from: number,
  to: number,
  at: (index: number) => R | undefined,
): Selected<R> {
  const made = new Map(selected)
  for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
    const row = at(index)
    if (row) made.set(row.id, row)
  }
  return made
}

/** These rows and no others. */
export function only<R extends Identified>(rows: readonly R[]): Selected<R> {
  return new Map(rows.map((row) => [row.id, row]))
}
