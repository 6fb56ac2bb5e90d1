/** Opens the palette and the list of keys from anywhere. */
export type Shown = 'palette' | 'keys' | undefined

let shown: Shown
let before: Element | null = null
const listeners = new Set<() => void>()

export function show(what: Shown): void {
  if (what === shown) return
  if (what !== undefined && shown === undefined) before = document.activeElement
  shown = what
  listeners.forEach((tell) => tell())
}

/** Closes, and puts the focus back to where it was. */
export function dismiss(): void {
  const to = before
  show(undefined)
  // After what was open has let go of it.
  queueMicrotask(() => {
    if (to instanceof HTMLElement && to.isConnected) to.focus({ preventScroll: true })
  })
}

export function current(): Shown {
  return shown
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
