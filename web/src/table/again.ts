/** When a list that could not be had is asked for again, by itself. Pure. */
import { Refusal } from '~/api/client'

const FIRST_MS = 5000
const LONGEST_MS = 30_000

/** How long to wait after so many failures in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1))
}

/** Whether a failure may pass by itself. What the server refuses for what was asked, it refuses again. */
export function passes(error: unknown): boolean {
  if (!(error instanceof Refusal)) return true
  const { status } = error
  return status === 0 || status === 408 || status === 429 || status >= 500
}
