import { describe, expect, it } from 'vitest'
import { merged, patchAt, within } from './merge'

describe('a merge patch', () => {
  // The examples of RFC 7396, appendix A.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('makes of %j with %j what the standard says', (target, patch, wanted) => {
    expect(merged<unknown>(target, patch as never)).toEqual(wanted)
  })

  it('leaves the object it is given, and what it does not touch, as they are', () => {
    const target = { lists: { guests: { columns: ['name'] }, nodes: { columns: ['name'] } } }
    const made = merged(target, { lists: { guests: { columns: ['cpu'] } } })
    expect(target.lists.guests.columns).toEqual(['name'])
    expect(made.lists.nodes).toBe(target.lists.nodes)
  })
})

describe('a path', () => {
  it('is what a patch is made for and a value found at', () => {
    const patch = patchAt(['lists', 'guests', 'sort'], '-cpu')
    expect(patch).toEqual({ lists: { guests: { sort: '-cpu' } } })
    expect(within(patch, ['lists', 'guests', 'sort'])).toBe('-cpu')
    expect(within(patch, ['lists', 'nodes', 'sort'])).toBeUndefined()
  })

  it('finds nothing that was not put there', () => {
    expect(within({ ui: {} }, ['ui', 'constructor'])).toBeUndefined()
    expect(within({ ui: {} }, ['ui', '__proto__'])).toBeUndefined()
  })
})
