/** The server's clock, as far as its answers tell it: a browser's own may be minutes off. */

let ahead = 0

/** Takes in the `Date` of an answer that has just come. It is in whole seconds, cut off. */
export function hearDate(date: string | null, now = Date.now()): void {
  const told = date === null ? Number.NaN : Date.parse(date)
  if (!Number.isNaN(told)) ahead = told + 500 - now
}

/** What the server's clock shows, to a second or two; this browser's own before any answer. */
export function serverNow(now = Date.now()): number {
  return now + ahead
}
