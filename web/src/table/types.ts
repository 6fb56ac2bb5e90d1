/** What a table is made of: its columns, and where its rows come from. */
import type { ReactNode } from 'react'

/** Everything that can stand in a table has an id of its own. */
export interface Identified {
  id: string
}

export interface Column<R> {
  /** Under this name it is remembered, and shown in the list of columns. */
  id: string
  title: string
  /** What it tells, for its heading's hint. */
  what?: string
  /** So wide at least, in pixels. */
  width: number
  /** Takes so many parts of the room that is left; 0 when absent. */
  grow?: number
  /** Figures stand at the end. */
  end?: boolean
  /** The key by which the server sorts by it, or, of rows at hand, its own name: `compare` then says how. */
  sort?: string
  /** The first press sorts with the greatest first. */
  descending?: boolean
  /** Sorts rows at hand. What is not known is `undefined` and comes last, either way round. */
  value?: (row: R) => string | number | undefined
  /** Is not shown until somebody asks for it. */
  hidden?: boolean
  /** Is always shown: the name. */
  always?: boolean
  /** Says how it is now, or how sure the rest is: not dimmed with a row that is shown as last seen. */
  clear?: boolean
  /** Where it stands on a narrow screen: in the first line, at its end, or in the second line. Absent: nowhere. */
  card?: 'title' | 'side' | 'line'
  /**
   * Its content. Keep it light: no tooltips or menus of their own, `title` says more. Drawn anew only when the row is
   * another object.
   */
  cell: (row: R) => ReactNode
}

/** Which row stands where, as it is known now. */
export interface Order {
  /** Another one for another question: what was held is let go. */
  key: string
  total: number
  id: (index: number) => string | undefined
  /** Whether it stands somewhere in what is known of the list. */
  has: (id: string) => boolean
}

/** Where the rows come from. Another object whenever something in it is another. */
export interface Source<R> {
  /** `undefined`: nothing is known yet. */
  order: Order | undefined
  row: (id: string) => R | undefined
  /** What is shown is not yet what was asked for. */
  pending: boolean
  /** Why it could not be asked for. */
  error: unknown
  /** When it was so, in milliseconds since 1970, while nobody tells what changes; absent: it is so now. */
  asOf?: number | undefined
  /** Asks again after a failure. */
  again: () => void
  /** Says which rows are on screen. */
  look: (first: number, last: number) => void
  /** The first rows of all that match, in their order, at most `most`. */
  all: (most: number) => Promise<R[]>
}
