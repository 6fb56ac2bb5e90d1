import { describe, expect, it } from 'vitest'
import { Holder } from './hold'
import type { Order } from './types'

interface Row {
  id: string
  word: string
}
const order = (ids: string, key = 'k', total = ids.length): Order => ({
  key,
  total,
  id: (index) => (ids[index] === '.' ? undefined : ids[index]),
  has: (id) => ids.includes(id),
})
const read = (of: Order, last: number) => Array.from({ length: last + 1 }, (_, index) => of.id(index) ?? '.').join('')

describe('an order that is held', () => {
  it('stays while rows move, come and go, and says that it is not the latest', () => {
    const holder = new Holder<Row>()
    expect(read(holder.view(order('abc'), true), 2)).toBe('abc')
    expect(holder.changed(order('abc'), 0, 2)).toBe(false)
    expect(read(holder.view(order('cab'), true), 2)).toBe('abc')
    expect(holder.changed(order('cab'), 0, 2)).toBe(true)
    expect(holder.changed(order('abd'), 0, 1)).toBe(false)
  })

  it('takes in what was not seen before where it is found', () => {
    const holder = new Holder<Row>()
    expect(read(holder.view(order('ab..', 'k', 4), true), 3)).toBe('ab..')
    expect(read(holder.view(order('bacd'), true), 3)).toBe('abcd')
  })

  it('never becomes shorter, which would move what is on screen', () => {
    const holder = new Holder<Row>()
    holder.view(order('abc'), true)
    expect(holder.view(order('a'), true).total).toBe(3)
    expect(holder.changed(order('a'), 0, 2)).toBe(true)
    expect(holder.view(order('abcde'), true).total).toBe(5)
  })

  it('is let go when nobody points at it any more, when it is asked for, and when the question is another', () => {
    const holder = new Holder<Row>()
    const held = (ids: string, holding = true, key = 'k') => read(holder.view(order(ids, key), holding), 2)
    expect(held('abc')).toBe('abc')
    expect(held('cba', false)).toBe('cba')
    expect(held('bca')).toBe('bca')
    holder.release()
    expect(held('abc')).toBe('abc')
    expect(held('xyz', true, 'other')).toBe('xyz')
  })

  it('remembers not every place that was ever on screen', () => {
    const holder = new Holder<Row>()
    const long = (name: string): Order => ({ key: 'k', total: 100_000, id: (index) => `${name}${index}`, has: () => true })
    const held = holder.view(long('a'), true)
    for (let index = 0; index < 10_000; index += 1) held.id(index)
    const later = holder.view(long('b'), true)
    expect([later.id(9999), later.id(0)]).toEqual(['a9999', 'b0'])
  })
})

describe('a row that left a list which is held', () => {
  const gone = (holder: Holder<Row>, now: Order, last: number) => {
    const held = holder.view(now, true)
    return Array.from({ length: last + 1 }, (_, index) => (held.gone(index) ? '!' : (held.id(index) ?? '.'))).join('')
  }

  it('is the one that is marked, wherever it stands, and no other', () => {
    const holder = new Holder<Row>()
    expect(gone(holder, order('abcd'), 3)).toBe('abcd')
    expect(gone(holder, order('acd'), 3)).toBe('a!cd')
    // Another order is not another list.
    expect(gone(holder, order('dca'), 3)).toBe('a!cd')
    expect(gone(holder, order('abcd'), 3)).toBe('abcd')
  })

  it('is not said of places that are not known now', () => {
    const holder = new Holder<Row>()
    expect(gone(holder, order('abcd'), 3)).toBe('abcd')
    expect(gone(holder, order('..cd'), 3)).toBe('abcd')
  })

  it('is nothing that will still come where the list has become shorter', () => {
    const holder = new Holder<Row>()
    expect(gone(holder, order('abc.', 'k', 4), 2)).toBe('abc')
    expect(gone(holder, order('abc'), 3)).toBe('abc!')
  })

  it('is shown as it was drawn last', () => {
    const holder = new Holder<Row>()
    const draw = (ids: string, rows: Record<string, Row>) => {
      const held = holder.view(order(ids), true)
      holder.draws()
      return [0, 1].map((index) => holder.row(held.id(index) ?? '', rows[held.id(index) ?? ''])?.word)
    }
    const a = { id: 'a', word: 'running' }
    const b = { id: 'b', word: 'running' }
    expect(draw('ab', { a, b })).toEqual(['running', 'running'])
    for (let time = 0; time < 3; time += 1) expect(draw('b', { b: { ...b, word: 'paused' } })).toEqual(['running', 'paused'])
    holder.view(order('b'), false)
    expect(holder.row('a', undefined)).toBeUndefined()
  })
})
