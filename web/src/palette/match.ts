/** What a text in the palette means: words that something has to have, and a deed before them. */
import type { Action } from '~/api/types'

/** Words in lower case. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean)
}

/** How well something fits: every word has to stand in it; `undefined`: it does not. The smaller the better. */
export function rank(text: string, words: readonly string[]): number | undefined {
  const own = text.toLowerCase()
  let sum = 0
  for (const word of words) {
    const at = own.indexOf(word)
    if (at < 0) return undefined
    const begins = at === 0 || /[^\p{L}\p{N}]/u.test(own.charAt(at - 1))
    sum += at === 0 ? 0 : begins ? 1 : 2
  }
  return sum
}

/** All that stands in a row, without the names of its fields. */
export function textOf(row: unknown): string {
  if (typeof row === 'string' || typeof row === 'number') return String(row)
  if (typeof row !== 'object' || row === null) return ''
  return Object.values(row).map(textOf).join('\n')
}

/** What fits, the best first; what fits equally well stays in its order. */
export function fitting<T>(all: readonly T[], text: (one: T) => string, words: readonly string[]): T[] {
  if (words.length === 0) return [...all]
  return all
    .map((one) => ({ one, rank: rank(text(one), words) }))
    .filter((found): found is { one: T; rank: number } => found.rank !== undefined)
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one)
}

/** The query that finds what has all these words: each in quotes, so that none of them is read as anything else. */
export function queryOf(words: readonly string[]): string {
  return words.map((word) => `"${word.replace(/[\\"]/g, '\\$&')}"`).join(' ')
}

/** How people say it. The longer ones first. */
const GUEST_VERBS: readonly (readonly [string, Action])[] = [
  ['shut down', 'shutdown'],
  ['shutdown', 'shutdown'],
  ['start', 'start'],
  ['stop', 'stop'],
  ['restart', 'reboot'],
  ['reboot', 'reboot'],
  ['reset', 'reset'],
  ['suspend', 'suspend'],
  ['pause', 'suspend'],
  ['hibernate', 'hibernate'],
  ['resume', 'resume'],
]

export type RemoteVerb = 'connect' | 'disconnect' | 'try'

const REMOTE_VERBS: readonly (readonly [string, RemoteVerb])[] = [
  ['connect', 'connect'],
  ['disconnect', 'disconnect'],
  ['try', 'try'],
]

/** What was written: a deed, where it begins with one, and the words for what it is to be done to. */
export interface Meant {
  words: string[]
  guest?: Action
  remote?: RemoteVerb
  /** The words after the deed. */
  rest: string[]
}

export function meant(text: string): Meant {
  const words = wordsOf(text)
  const line = words.join(' ')
  const after = (verb: string) => (line === verb || line.startsWith(`${verb} `) ? wordsOf(line.slice(verb.length)) : undefined)
  for (const [verb, guest] of GUEST_VERBS) {
    const rest = after(verb)
    if (rest) return { words, guest, rest }
  }
  for (const [verb, remote] of REMOTE_VERBS) {
    const rest = after(verb)
    if (rest) return { words, remote, rest }
  }
  return { words, rest: words }
}
