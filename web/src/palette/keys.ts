/**
 * Keys of the whole console, as data, and [press], which says what a key does. Pure: what is held, and when, is handed in.
 */

/** Where `g` and another key lead. */
export const PLACES = [
  { key: 'o', to: '/', label: 'Overview' },
  { key: 'g', to: '/guests', label: 'Guests' },
  { key: 'n', to: '/nodes', label: 'Nodes' },
  { key: 's', to: '/storages', label: 'Storage' },
  { key: 'r', to: '/remotes', label: 'Remotes' },
  { key: 't', to: '/tasks', label: 'Tasks' },
  { key: 'p', to: '/operations', label: 'Operations' },
  { key: 'e', to: '/events', label: 'Events' },
  { key: 'c', to: '/settings', label: 'Settings' },
  { key: 'a', to: '/account', label: 'My account' },
] as const

export type Place = (typeof PLACES)[number]['to']

/** What a key does. */
export type Deed = { deed: 'palette' } | { deed: 'search' } | { deed: 'help' } | { deed: 'go'; to: Place }

/** `g` was pressed at this time, and waits for another key. */
export interface Held {
  g: number | undefined
}

export const NONE_HELD: Held = { g: undefined }

/** So long does `g` wait. */
const WAIT_MS = 1500

export interface Key {
  key: string
  ctrl: boolean
  meta: boolean
  alt: boolean
  /** Where it is pressed keys write text, or mean something of their own. */
  typing: boolean
  repeat: boolean
}

/** What a key does, and what is held after it. */
export function press(held: Held, key: Key, now: number): { held: Held; deed?: Deed } {
  if ((key.ctrl || key.meta) && !key.alt && key.key.toLowerCase() === 'k') {
    return { held: NONE_HELD, deed: { deed: 'palette' } }
  }
  if (key.typing || key.ctrl || key.meta || key.alt || key.repeat) return { held: NONE_HELD }
  // Shift alone is on the way to another key.
  if (key.key === 'Shift') return { held }
  if (held.g !== undefined && now - held.g <= WAIT_MS) {
    const place = PLACES.find((one) => one.key === key.key)
    return place ? { held: NONE_HELD, deed: { deed: 'go', to: place.to } } : { held: NONE_HELD }
  }
  switch (key.key) {
    case 'g':
      return { held: { g: now } }
    case '/':
      return { held: NONE_HELD, deed: { deed: 'search' } }
    case '?':
      return { held: NONE_HELD, deed: { deed: 'help' } }
    default:
      return { held: NONE_HELD }
  }
}

/** Fields that take no text. */
const NO_TEXT = new Set(['button', 'checkbox', 'radio', 'range', 'submit', 'reset', 'file', 'color', 'image'])

/** Whether keys mean something of their own where they are pressed. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false
  const field = target.closest('input, textarea, select, [contenteditable], [role="textbox"], [role="combobox"]')
  if (field instanceof HTMLInputElement) return !NO_TEXT.has(field.type)
  if (field instanceof HTMLElement && field.getAttribute('contenteditable') !== 'false') return true
  return target.closest('[role="dialog"], [role="menu"], [role="listbox"], [data-own-keys]') !== null
}

/** Whether something lies over the page that keys belong to, also where the focus is not in it. */
export function isCovered(page: Document): boolean {
  return page.querySelector('[role="dialog"][aria-modal="true"], [role="menu"]') !== null
}

/** All keys, for the list of them. */
export const ALL: readonly { group: string; keys: readonly { keys: readonly string[]; what: string }[] }[] = [
  {
    group: 'Everywhere',
    keys: [
      { keys: ['Ctrl', 'K'], what: 'Find anything, or do something' },
      { keys: ['/'], what: 'Search on this page' },
      { keys: ['?'], what: 'These keys' },
      { keys: ['Esc'], what: 'Close what is open' },
      { keys: ['Tab'], what: 'To the next control; Shift and Tab to the one before' },
    ],
  },
  { group: 'Go to', keys: PLACES.map(({ key, label }) => ({ keys: ['g', key], what: label })) },
  {
    group: 'In lists',
    keys: [
      { keys: ['↑', '↓'], what: 'From row to row' },
      { keys: ['Enter'], what: 'Open the row' },
      { keys: ['Space'], what: 'Select the row, where rows can be selected' },
    ],
  },
]
