import { describe, expect, it } from 'vitest'
import { Holder } from './hold'
import type { Order } from './types'

const order = (ids: string, key = 'k', total = ids.length): Order => ({ key, total, id: (index) => (ids[index] === '.' ? undefined : ids[index]) })
const read = (of: Order, last: number) => Array.from({ length: last + 1 }, (_, index) => of.id(index) ?? '.').join('')

describe('an order that is held', () => {
  it('stays while rows move, come and go, and says that it is not the latest', () => {
    const holder = new Holder()
    expect(read(holder.view(order('abc'), true), 2)).toBe('abc')
    expect(holder.changed(order('abc'), 0, 2)).toBe(false)
    expect(read(holder.view(order('cab'), true), 2)).toBe('abc')
    expect(holder.changed(order('cab'), 0, 2)).toBe(true)
    expect(holder.changed(order('abd'), 0, 1)).toBe(false)
  })

  it('takes in what was not seen before where it is found', () => {
    const holder = new Holder()
    expect(read(holder.view(order('ab..', 'k', 4), true), 3)).toBe('ab..')
    expect(read(holder.view(order('bacd'), true), 3)).toBe('abcd')
  })

  it('never becomes shorter, which would move what is on screen', () => {
    const holder = new Holder()
    holder.view(order('abc'), true)
    expect(holder.view(order('a'), true).total).toBe(3)
    expect(holder.changed(order('a'), 0, 2)).toBe(true)
    expect(holder.view(order('abcde'), true).total).toBe(5)
  })

  it('is let go when nobody points at it any more, when it is asked for, and when the question is another', () => {
    const holder = new Holder()
    const held = (ids: string, holding = true, key = 'k') => read(holder.view(order(ids, key), holding), 2)
    expect(held('abc')).toBe('abc')
    expect(held('cba', false)).toBe('cba')
    expect(held('bca')).toBe('bca')
    holder.release()
    expect(held('abc')).toBe('abc')
    expect(held('xyz', true, 'other')).toBe('xyz')
  })
})
