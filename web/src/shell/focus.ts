/** After a step to another page the focus goes to its main heading, as it would after loading a document. */
import { useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'

/** A page that is being loaded may take this long to have a heading. */
const PATIENCE_MS = 3000

export function useFocusOnHeading(): void {
  const router = useRouter()
  useEffect(() => {
    let stop = () => undefined as void
    const unsubscribe = router.subscribe('onRendered', ({ pathChanged, fromLocation }) => {
      if (!pathChanged || !fromLocation) return
      stop()
      if (focusHeading()) return
      const main = document.getElementById('main')
      if (!main) return
      const seen = new MutationObserver(() => {
        if (focusHeading()) stop()
      })
      seen.observe(main, { childList: true, subtree: true })
      const timer = setTimeout(() => stop(), PATIENCE_MS)
      stop = () => {
        seen.disconnect()
        clearTimeout(timer)
      }
    })
    return () => {
      stop()
      unsubscribe()
    }
  }, [router])
}

/** Whether there was a heading to go to, or something on the page has the focus already. */
export function focusHeading(): boolean {
  const main = document.getElementById('main')
  const heading = main?.querySelector<HTMLElement>('h1')
  if (!main || !heading) return false
  // A page that put the focus into a field meant it; and what was opened over the page keeps it.
  const active = document.activeElement
  if (active && active !== main && (main.contains(active) || active.closest('[role="dialog"]'))) return true
  heading.tabIndex = -1
  heading.focus({ preventScroll: true })
  return true
}
