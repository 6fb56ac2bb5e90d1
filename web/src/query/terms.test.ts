import { describe, expect, it } from 'vitest'
import { quoted, terms, toggled, unquoted, valuesOf, without, withValues } from './terms'

describe('terms', () => {
  it('are told apart, quotes held together', () => {
    const text = 'web  -tag:"a b",c cpu>=80% "two words'
    expect(terms(text).map(({ start, end }) => text.slice(start, end))).toEqual(['web', '-tag:"a b",c', 'cpu>=80%', '"two words'])
    expect(terms(text).map(({ key, operator, negated, values }) => [key, operator, negated, values])).toEqual([
      [undefined, undefined, false, ['web']],
      ['tag', ':', true, ['a b', 'c']],
      ['cpu', '>=', false, ['80%']],
      [undefined, undefined, false, ['two words']],
    ])
  })

  it('are written so that they are read the same', () => {
    for (const value of ['web', 'a b', 'a,b', 'say "hi"', 'back\\slash', '', '*', '-x', 'a:b', 'ümläut', '‮rtl']) {
      expect(unquoted(quoted(value))).toBe(value)
      expect(valuesOf(withValues('', 'tag', [value, 'x']), 'tag')).toEqual([value, 'x'])
    }
  })
})

describe('a chip', () => {
  it('puts itself into the query and takes itself out again', () => {
    expect(toggled('web', 'status', 'running')).toBe('web status:running')
    expect(toggled('web status:running', 'status', 'stopped')).toBe('web status:running,stopped')
    expect(toggled('web status:running,stopped x', 'status', 'running')).toBe('web status:stopped x')
    expect(toggled('status:running', 'status', 'running')).toBe('')
  })

  it('touches no term but its own', () => {
    expect(without('-status:paused status:running cpu>80% status~x', 'status')).toBe('-status:paused cpu>80% status~x')
    expect(withValues('status:a x status:b', 'status', ['c'])).toBe('status:c x')
  })
})
