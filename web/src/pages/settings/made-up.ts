/** Passwords out of chance, easy to read out. */

/** Letters and digits that nobody takes for each other. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789'
const GROUPS = 5
const LONG = 4

/** `pxr5-r8fx-sr8u-decv-fikk`: 99 bits. */
export function madeUp(): string {
  const groups = Array.from({ length: GROUPS }, () => Array.from({ length: LONG }, letter).join(''))
  return groups.join('-')
}

/** Each letter as likely as any other: what would favour the first ones is thrown away. */
function letter(): string {
  const fair = 256 - (256 % LETTERS.length)
  for (;;) {
    const [byte = 255] = crypto.getRandomValues(new Uint8Array(1))
    if (byte < fair) return LETTERS.charAt(byte % LETTERS.length)
  }
}
