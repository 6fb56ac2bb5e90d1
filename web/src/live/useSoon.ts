/** [useSoon]: asks again soon after something changed, but not again and again while it goes on changing. */
import { useEffect, useRef } from 'react'

/**
 * Calls `act` within `pause` milliseconds after `sign` has changed, and at most that often. Not while the page is
 * hidden: what it shows is asked for when it is looked at again. `undefined` says nothing.
 */
export function useSoon(sign: unknown, act: () => void, pause: number): void {
  const known = useRef<unknown>(undefined)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const latest = useRef(act)
  useEffect(() => {
    latest.current = act
  })
  useEffect(() => {
    if (sign === undefined || sign === known.current) return
    const first = known.current === undefined
    known.current = sign
    if (first || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      if (document.visibilityState === 'visible') latest.current()
    }, pause)
  }, [sign, pause])
  useEffect(
    () => () => {
      clearTimeout(timer.current)
      timer.current = undefined
    },
    [],
  )
}
