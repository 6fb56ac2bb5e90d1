/** The terms of a query as the console touches them: found, put in, taken out. The server alone says what they mean. Pure. */

export interface Term {
  /** Where it begins and ends in the text. */
  start: number
  end: number
  /** `-` stands before it. */
  negated: boolean
  /** Of `key:value`; `undefined` of a free word. */
  key: string | undefined
  operator: string | undefined
  /** Where what stands after the operator (or the free word) begins. */
  valueAt: number
  /** The values, without their quotes. */
  values: string[]
}

const HEAD = /^([a-z_]+)(:|~|>=|<=|>|<|=)/i

/** All terms, in their order. A quote that is not closed reaches to the end. */
export function terms(text: string): Term[] {
  const found: Term[] = []
  let at = 0
  while (at < text.length) {
    if (/\s/.test(text[at] ?? '')) {
      at += 1
      continue
    }
    const start = at
    at = endOf(text, at, /\s/)
    found.push(term(text, start, at))
  }
  return found
}

/** Where what begins at a place ends: before the next character of a kind that is not within quotes. */
function endOf(text: string, from: number, stop: RegExp): number {
  let quoted = false
  for (let at = from; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (!quoted && stop.test(character)) return at
  }
  return text.length
}

function term(text: string, start: number, end: number): Term {
  const negated = text[start] === '-' && end > start + 1
  const from = negated ? start + 1 : start
  const head = HEAD.exec(text.slice(from, end))
  const valueAt = from + (head?.[0].length ?? 0)
  return {
    start,
    end,
    negated,
    key: head?.[1]?.toLowerCase(),
    operator: head?.[2],
    valueAt,
    values: items(text, valueAt, end).map((item) => unquoted(text.slice(item.start, item.end))),
  }
}

/** The parts of a value between its commas. */
export function items(text: string, start: number, end: number): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  let at = start
  for (;;) {
    const stop = Math.min(end, endOf(text, at, /,/))
    found.push({ start: at, end: stop })
    if (stop >= end) return found
    at = stop + 1
  }
}

export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  return text.replace(/^"/, '').replace(/"$/, '').replace(/\\(.)/g, '$1')
}

/** A value as it has to be written. */
export function quoted(value: string): string {
  return value === '' || /[\s,"\\*:~<>=]/.test(value) || value.startsWith('-') ? `"${value.replace(/["\\]/g, '\\$&')}"` : value
}

/** The values that a query allows of a key, put together; terms with `-` or another operator than `:` are not among them. */
export function valuesOf(text: string, key: string): string[] {
  return [...new Set(terms(text).filter((term) => isPlain(term, key)).flatMap((term) => term.values))]
}

function isPlain(term: Term, key: string): boolean {
  return term.key === key && term.operator === ':' && !term.negated
}

/** The query with exactly these values of a key allowed; none: whichever. */
export function withValues(text: string, key: string, values: readonly string[]): string {
  const made = values.length === 0 ? '' : `${key}:${values.map(quoted).join(',')}`
  const old = terms(text).filter((term) => isPlain(term, key))
  const first = old[0]
  if (!first) return joined(text, made)
  let rest = text
  for (const term of [...old].reverse()) {
    rest = rest.slice(0, term.start) + (term === first ? made : '') + rest.slice(term.end)
  }
  return tidy(rest)
}

/** The query without what is asked of a key. */
export function without(text: string, key: string): string {
  return withValues(text, key, [])
}

/** The query with a value of a key allowed as well, or no longer. */
export function toggled(text: string, key: string, value: string): string {
  const had = valuesOf(text, key)
  return withValues(text, key, had.includes(value) ? had.filter((one) => one !== value) : [...had, value])
}

function joined(text: string, more: string): string {
  return tidy(`${text} ${more}`)
}

/** Without blanks at the ends, and one between terms. */
function tidy(text: string): string {
  return terms(text)
    .map((term) => text.slice(term.start, term.end))
    .join(' ')
}
