/** Which part of a long list is asked for, from what is on screen. Pure. */

export interface Part {
  offset: number
  limit: number
}

/** Parts begin and end at multiples of this: small movements ask for nothing new. */
export const PAGE = 50

/** So many rows before and after the screen are wanted too. */
const LEAD = 15

/** When of so many rows where it moves to one is unknown, more are asked for: a row that is known before it is on screen is drawn once. */
const NEAR = 100

/** So many then: few answers to take in while it moves. */
const AHEAD = 250

/** A part has at most so many rows, however high the screen. */
const MOST = 400

/** The part that covers rows `first` to `last`, whole pages. `total`: as far as is known. */
export function partOf(first: number, last: number, total: number | undefined): Part {
  const end = total === undefined ? Infinity : Math.max(0, total)
  const from = Math.max(0, Math.min(first, end) - LEAD)
  const offset = Math.floor(from / PAGE) * PAGE
  const to = Math.max(last, first) + 1 + LEAD
  // The last part is whole too: it may grow.
  const limit = Math.ceil((Math.min(to, Math.max(end, offset + 1)) - offset) / PAGE) * PAGE
  return { offset, limit: Math.max(PAGE, Math.min(limit, MOST)) }
}

/** The smallest run of whole pages in a part that has all its unknown rows; `undefined` when all are known. */
export function missing(part: Part, total: number | undefined, known: (index: number) => boolean): Part | undefined {
  const end = Math.min(part.offset + part.limit, total ?? Infinity)
  let first = -1
  let last = -1
  for (let index = part.offset; index < end; index += 1) {
    if (known(index)) continue
    if (first < 0) first = index
    last = index
  }
  if (first < 0) return undefined
  const offset = Math.floor(first / PAGE) * PAGE
  return { offset, limit: Math.ceil((last + 1 - offset) / PAGE) * PAGE }
}

/** What is to be asked for where the window moves to: `way` is above 0 towards the end, below 0 towards the beginning. */
export function ahead(
  { first, last, way }: { first: number; last: number; way: number },
  total: number | undefined,
  known: (index: number) => boolean,
): Part | undefined {
  if (way === 0) return undefined
  const reach = (rows: number) => (way > 0 ? partOf(last, last + rows, total) : partOf(Math.max(0, first - rows), first, total))
  return missing(reach(NEAR), total, known) && missing(reach(AHEAD), total, known)
}

/** Where a page further is, for the keys: at least one row. */
export function step(index: number, by: number, total: number): number {
  return Math.max(0, Math.min(total - 1, index + by))
}
