/** What may be meant where somebody is writing in a query. Pure. */
import { items, quoted, terms, unquoted } from './terms'
import type { Field } from './vocabulary'

export interface Suggestion {
  /** What of the text it takes the place of. */
  replace: readonly [number, number]
  text: string
  /** What it is, in words. */
  what?: string | undefined
}

/** So many are told at once. */
const MOST = 40

/**
 * Suggestions at a place of a query. `known`: values that are at hand of a key (names of remotes, for one), beside its
 * fixed ones.
 */
export function complete(
  fields: readonly Field[],
  q: string,
  at: number,
  known: (key: string) => readonly string[] = () => [],
): Suggestion[] {
  const term = terms(q).find((one) => one.start < at && at <= one.end)
  if (term?.key !== undefined && term.operator !== undefined && at >= term.valueAt) {
    const field = fields.find((one) => one.name === term.key)
    if (!field) return []
    const item = items(q, term.valueAt, term.end).find((one) => one.start <= at && at <= one.end)
    if (!item) return []
    const begun = unquoted(q.slice(item.start, at)).toLowerCase()
    const others = term.values.filter((value) => value !== unquoted(q.slice(item.start, item.end)))
    const values = [...new Set([...(field.values ?? []), ...known(field.name)])].filter((value) => !others.includes(value))
    return ranked(values, begun, (value) => value)
      .slice(0, MOST)
      .map((value) => ({ replace: [item.start, item.end] as const, text: quoted(value), what: value === '' ? 'none' : undefined }))
  }
  const from = term ? term.start + (term.negated ? 1 : 0) : at
  const begun = term ? q.slice(from, at).toLowerCase() : ''
  const replace = [from, term?.end ?? at] as const
  const keys = ranked(fields, begun, (field) => field.name).map((field) => ({
    replace,
    text: field.figure ? `${field.name}>` : `${field.name}:`,
    what: field.example === undefined ? field.what : `${field.what}, like ${field.name}${field.figure ? '>' : ':'}${field.example}`,
  }))
  if (begun.length < 2) return keys.slice(0, MOST)
  // `run` is most likely `status:running`.
  const values = fields.flatMap((field) =>
    [...(field.values ?? []), ...known(field.name)]
      .filter((value) => value.toLowerCase().startsWith(begun))
      .map((value) => ({ replace, text: `${field.name}:${quoted(value)}`, what: field.what })),
  )
  return [...keys, ...values].slice(0, MOST)
}

/** Those that begin with what was begun, then those that have it in them. */
function ranked<T>(all: readonly T[], begun: string, word: (one: T) => string): T[] {
  const starts = all.filter((one) => word(one).toLowerCase().startsWith(begun))
  if (begun === '') return starts
  const has = all.filter((one) => word(one).toLowerCase().includes(begun) && !starts.includes(one))
  return [...starts, ...has]
}

/** The text with a suggestion taken, and where one goes on writing. */
export function take(q: string, { replace: [from, to], text }: Suggestion): { q: string; at: number } {
  return { q: q.slice(0, from) + text + q.slice(to), at: from + text.length }
}
