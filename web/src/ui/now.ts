/** The time, for everything that says how long ago something was: one clock for the whole page, and it is the server's. */
import { useSyncExternalStore } from 'react'
import { serverNow } from '~/api/clock'

const STEP_MS = 1000

/** Clocks that are closer than this agree: how far they are apart is known to a second or so, and ages shall not waver. */
const SAME_MS = 2000

/** The server's clock is ahead of this machine's by so many milliseconds. */
let ahead = 0
let shown = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** An instant by this machine's clock as the server's has it. */
export function toServer(ms: number): number {
  const measured = serverNow(0)
  if (Math.abs(measured - ahead) >= SAME_MS) ahead = Math.abs(measured) < SAME_MS ? 0 : measured
  return ms + ahead
}

/** What all times that the server tells are compared with: milliseconds since 1970 by its clock, as far as that is known. */
export function now(): number {
  return toServer(Date.now())
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  // While nobody looked it stood still.
  if (timer === undefined) shown = now()
  timer ??= setInterval(() => {
    shown = now()
    listeners.forEach((tell) => tell())
  }, STEP_MS)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** Milliseconds since 1970 by the server's clock, renewed every second; in steps of `step` milliseconds for who needs it coarser. */
export function useNow(step = STEP_MS): number {
  return useSyncExternalStore(subscribe, () => Math.floor(shown / step) * step)
}
