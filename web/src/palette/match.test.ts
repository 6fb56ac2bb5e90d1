import { describe, expect, it } from 'vitest'
import { fitting, meant, queryOf, rank, textOf } from './match'

describe('a text in the palette', () => {
  it.each([
    ['web', { words: ['web'], rest: ['web'] }],
    ['start web', { words: ['start', 'web'], guest: 'start', rest: ['web'] }],
    ['shut down  shop web', { words: ['shut', 'down', 'shop', 'web'], guest: 'shutdown', rest: ['shop', 'web'] }],
    ['Reboot 101', { words: ['reboot', '101'], guest: 'reboot', rest: ['101'] }],
    ['start', { words: ['start'], guest: 'start', rest: [] }],
    // A guest may be called like a deed with something after it.
    ['startpage', { words: ['startpage'], rest: ['startpage'] }],
    ['disconnect attic', { words: ['disconnect', 'attic'], remote: 'disconnect', rest: ['attic'] }],
    ['connect attic', { words: ['connect', 'attic'], remote: 'connect', rest: ['attic'] }],
    ['', { words: [], rest: [] }],
  ])('%j means %j', (text, wanted) => {
    expect(meant(text)).toEqual(wanted)
  })

  it('is never read as more than words', () => {
    expect(queryOf(['web', 'type:ct', '-x', 'a"b', 'c\\'])).toBe('"web" "type:ct" "-x" "a\\"b" "c\\\\"')
  })

  it('finds what has all words, what begins with them first', () => {
    const all = ['Sign out', 'Nodes', 'Add a node', 'Design']
    expect(fitting(all, (one) => one, ['node'])).toEqual(['Nodes', 'Add a node'])
    expect(fitting(all, (one) => one, ['sign'])).toEqual(['Sign out', 'Design'])
    expect(fitting(all, (one) => one, ['out', 'sign'])).toEqual(['Sign out'])
    expect(fitting(all, (one) => one, [])).toEqual(all)
  })
})

describe('the text of a row', () => {
  const row = { name: 'a "web" \\ b', vmid: 101, template: true, link: { state: 'backing_off', endpoints: [{ address: '192.0.2.7' }] }, node: null }

  it('has all that stands in it, as it is written', () => {
    for (const word of ['"web"', '\\', '101', 'backing_off', '192.0.2.7']) expect(rank(textOf(row), [word])).toBeDefined()
  })

  it('has neither the names of its fields nor what nobody would write', () => {
    for (const word of ['vmid', 'endpoints', 'null', 'true', '{']) expect(rank(textOf(row), [word])).toBeUndefined()
  })
})
