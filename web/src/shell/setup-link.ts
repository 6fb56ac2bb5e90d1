/**
 * The secret of the one-time set-up link (`/setup#SECRET`). What stands behind the `#` is never sent by browsers; here it
 * is also taken out of the address at once, and kept in this window's memory only.
 */
import { prefix } from '~/api/client'

let secret: string | undefined
const listeners = new Set<() => void>()

/** The secret in an address, if it is that of a set-up link. */
export function secretIn(path: string, hash: string, under: string): string | undefined {
  if (path.replace(/\/+$/, '') !== `${under}/setup`) return undefined
  const text = hash.replace(/^#/, '').trim()
  return text === '' ? undefined : text
}

function take(): void {
  const found = secretIn(location.pathname, location.hash, prefix)
  if (found === undefined) return
  secret = found
  history.replaceState(history.state, '', location.pathname + location.search)
  listeners.forEach((tell) => tell())
}

take()
// The link opened once more in the same window is a jump within the page.
addEventListener('hashchange', take)

export const setupLink = {
  subscribe: (tell: () => void): (() => void) => {
    listeners.add(tell)
    return () => listeners.delete(tell)
  },
  secret: (): string | undefined => secret,
  /** It was used. */
  forget(): void {
    secret = undefined
  },
}
