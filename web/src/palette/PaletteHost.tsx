/** Holds the palette, the list of keys and the keys themselves; stands once in the shell. What it shows is loaded when it is first wanted. */
import { useRouter } from '@tanstack/react-router'
import { lazy, useEffect, useSyncExternalStore } from 'react'
import { Over } from '~/shell/Over'
import { isCovered, isTyping, NONE_HELD, press } from './keys'
import { current, dismiss, show, subscribe } from './open'

const Palette = lazy(() => import('./Palette'))
const KeysHelp = lazy(() => import('./KeysHelp'))

const leave = () => show(undefined)

export function PaletteHost() {
  const shown = useSyncExternalStore(subscribe, current)
  useKeys()
  // Whoever leaves leaves nothing open.
  useEffect(() => leave, [])
  return (
    <Over of={shown} close={leave}>
      {shown === 'palette' && <Palette />}
      {shown === 'keys' && <KeysHelp close={dismiss} />}
    </Over>
  )
}

function useKeys(): void {
  const router = useRouter()
  useEffect(() => {
    let held = NONE_HELD
    const hear = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return
      const pressed = press(
        held,
        {
          key: event.key,
          ctrl: event.ctrlKey,
          meta: event.metaKey,
          alt: event.altKey,
          typing: isTyping(event.target) || isCovered(document),
          repeat: event.repeat,
        },
        performance.now(),
      )
      held = pressed.held
      if (!pressed.deed) return
      event.preventDefault()
      switch (pressed.deed.deed) {
        case 'palette':
          if (current() === 'palette') dismiss()
          else show('palette')
          break
        case 'help':
          show('keys')
          break
        case 'search':
          if (!focusSearch()) show('palette')
          break
        case 'go':
          void router.navigate({ to: pressed.deed.to })
          break
      }
    }
    addEventListener('keydown', hear)
    return () => removeEventListener('keydown', hear)
  }, [router])
}

/** Puts the focus into the page's own search field; whether there is one. */
function focusSearch(): boolean {
  for (const marked of document.querySelectorAll<HTMLElement>('#main [data-search]')) {
    const field = marked.matches('input, textarea') ? marked : marked.querySelector<HTMLElement>('input, textarea')
    if (!field || field.getClientRects().length === 0) continue
    field.focus()
    if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) field.select()
    return true
  }
  return false
}
