/** Places in a query: the API counts bytes of UTF-8, the browser counts units of UTF-16. Pure. */

/** The place in a text that lies after so many bytes. A place within a character is its beginning. */
export function unitAt(text: string, bytes: number): number {
  let passed = 0
  let unit = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    passed += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
    if (passed > bytes) return unit
    unit += character.length
  }
  return unit
}

/** How many bytes lie before a place in a text. */
export function byteAt(text: string, unit: number): number {
  return new TextEncoder().encode(text.slice(0, unit)).length
}

/** A text in three: before a place, the place (at least one character, where there is one), after it. */
export function split(text: string, at: { start: number; end: number }): [string, string, string] {
  let start = unitAt(text, at.start)
  let end = Math.max(start, unitAt(text, at.end))
  if (start === end) {
    // Something is missing here: what stands before it is marked, so that there is something to see.
    if (end < text.length && !/\s/.test(text[end] ?? '')) end += 1
    else start = Math.max(0, start - 1)
  }
  return [text.slice(0, start), text.slice(start, end), text.slice(end)]
}
