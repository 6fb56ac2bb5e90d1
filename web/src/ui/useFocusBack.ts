import { useEffect } from 'react'

/**
 * Gives the focus back to what had it, when the dialog that calls this goes. Mantine does so for dialogs that are there
 * before they are opened; those that come into being open do not know what was before them.
 */
export function useFocusBack(): void {
  useEffect(() => {
    const before = document.activeElement
    return () => {
      // What closes it may move the focus on purpose.
      setTimeout(() => {
        const lost = document.activeElement === null || document.activeElement === document.body
        if (lost && before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
      })
    }
  }, [])
}
