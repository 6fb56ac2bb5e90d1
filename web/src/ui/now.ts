/** The time, for everything that says how long ago something was: one clock for the whole page. */
import { useSyncExternalStore } from 'react'

const STEP_MS = 1000

let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  // While nobody looked it stood still.
  if (timer === undefined) now = Date.now()
  timer ??= setInterval(() => {
    now = Date.now()
    listeners.forEach((tell) => tell())
  }, STEP_MS)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

/** Milliseconds since 1970, renewed every second; in steps of `step` milliseconds for who needs it coarser. */
export function useNow(step = STEP_MS): number {
  return useSyncExternalStore(subscribe, () => Math.floor(now / step) * step)
}
