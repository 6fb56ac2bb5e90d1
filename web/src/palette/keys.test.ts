import { describe, expect, it } from 'vitest'
import { type Deed, isCovered, isTyping, type Key, NONE_HELD, press } from './keys'

const key = (text: string, more: Partial<Key> = {}): Key => ({
  key: text,
  ctrl: false,
  meta: false,
  alt: false,
  typing: false,
  repeat: false,
  ...more,
})

/** What a row of keys does, one every `step` milliseconds. */
function after(keys: Key[], step = 100): (Deed | undefined)[] {
  let held = NONE_HELD
  return keys.map((one, index) => {
    const pressed = press(held, one, index * step)
    held = pressed.held
    return pressed.deed
  })
}

describe('keys', () => {
  it('go to pages after g', () => {
    expect(after([key('g'), key('g')])).toEqual([undefined, { deed: 'go', to: '/guests' }])
    expect(after([key('g'), key('o')])).toEqual([undefined, { deed: 'go', to: '/' }])
    expect(after([key('g'), key('x'), key('o')])).toEqual([undefined, undefined, undefined])
  })

  it('wait for the second one, but not for ever', () => {
    expect(after([key('g'), key('n')], 1400)[1]).toEqual({ deed: 'go', to: '/nodes' })
    expect(after([key('g'), key('n')], 1600)[1]).toBeUndefined()
  })

  it('write text where text is written', () => {
    const typed = { typing: true }
    expect(after(['g', 'g', '/', '?'].map((text) => key(text, typed)))).toEqual([undefined, undefined, undefined, undefined])
    expect(after([key('g', typed), key('g')])[1]).toBeUndefined()
    expect(after([key('g'), key('g', typed)])[1]).toBeUndefined()
  })

  it('open the palette from anywhere', () => {
    expect(after([key('k', { ctrl: true, typing: true }), key('K', { meta: true })])).toEqual([
      { deed: 'palette' },
      { deed: 'palette' },
    ])
  })

  it('are left alone with Ctrl, Alt and Meta, and while they are held down', () => {
    for (const more of [{ ctrl: true }, { alt: true }, { meta: true }, { repeat: true }]) {
      expect(after([key('/', more), key('g', more), key('n')])).toEqual([undefined, undefined, undefined])
    }
  })

  it('reach the question mark and the slash of any keyboard', () => {
    expect(after([key('Shift'), key('?')])[1]).toEqual({ deed: 'help' })
    expect(after([key('Shift'), key('/')])[1]).toEqual({ deed: 'search' })
    expect(after([key('g'), key('Shift'), key('g')])[2]).toEqual({ deed: 'go', to: '/guests' })
  })
})

describe('typing', () => {
  const place = (html: string) => {
    document.body.innerHTML = html
    return isTyping(document.body.querySelector('[data-here]') ?? document.body)
  }
  it.each([
    ['<input data-here>', true],
    ['<input type="search" data-here>', true],
    ['<input type="checkbox" data-here>', false],
    ['<textarea data-here></textarea>', true],
    ['<select data-here></select>', true],
    ['<div contenteditable><b data-here></b></div>', true],
    ['<div role="menu"><button data-here></button></div>', true],
    ['<div role="dialog"><button data-here></button></div>', true],
    ['<div data-own-keys><canvas data-here></canvas></div>', true],
    ['<button data-here></button>', false],
    ['<a href="#" data-here></a>', false],
    ['', false],
  ])('in %s: %s', (html, wanted) => {
    expect(place(html)).toBe(wanted)
  })
})

it.each([
  ['<div role="dialog" aria-modal="true"></div>', true],
  ['<div role="menu"></div>', true],
  ['<div role="dialog"></div>', false],
  ['<main></main>', false],
])('whatever has the focus, %s lies over the page: %s', (html, wanted) => {
  document.body.innerHTML = html
  expect(isCovered(document)).toBe(wanted)
})
