import { describe, expect, it } from 'vitest'
import { drawn, Places } from './places'

interface Row {
  id: string
}

describe('the rows that are drawn', () => {
  it('are as many at every place', () => {
    const lengths = new Set<number>()
    for (let first = 0; first < 980; first += 1) lengths.add(drawn(first, first + 19, 3, 30, 1000).length)
    expect([...lengths]).toEqual([30])
    expect(drawn(970, 999, 3, 30, 1000).at(-1)).toBe(999)
    expect(drawn(0, 19, 3, 30, 1000)[0]).toBe(0)
  })

  it('are all there are of a short list, and none of an empty one', () => {
    expect(drawn(0, 4, 3, 30, 5)).toEqual([0, 1, 2, 3, 4])
    expect(drawn(0, 0, 3, 30, 0)).toEqual([])
  })

  it('never leave out what is on screen', () => {
    expect(drawn(10, 60, 3, 30, 1000)).toContain(60)
  })
})

describe('their places in the document', () => {
  const slots = (...rows: number[]) => new Map(rows.map((row) => [row % 4, row]))

  it('stay while the list moves, and are in the order of the rows when it rests', () => {
    const places = new Places<Row>()
    expect(places.arrange(slots(0, 1, 2, 3), false)).toEqual([0, 1, 2, 3])
    expect(places.arrange(slots(1, 2, 3, 4), true)).toEqual([0, 1, 2, 3])
    expect(places.arrange(slots(2, 3, 4, 5), true)).toEqual([0, 1, 2, 3])
    expect(places.arrange(slots(2, 3, 4, 5), false)).toEqual([2, 3, 0, 1])
    expect(places.arrange(slots(3, 4, 5, 6), true)).toEqual([2, 3, 0, 1])
  })

  it('takes out what is no longer in use and puts what is new at the end', () => {
    const places = new Places<Row>()
    places.arrange(slots(0, 1, 2), false)
    expect(places.arrange(slots(1, 2, 3), true)).toEqual([1, 2, 3])
  })
})

describe('what is drawn in them', () => {
  const row = (id: string): Row => ({ id })

  it('is drawn at once as far as there is time in a frame, and goes on in the next', () => {
    const places = new Places<Row>()
    const rows = Array.from({ length: 30 }, (_, slot) => row(`r${slot}`))
    const frame = () => {
      places.begin()
      const seen = rows.filter((one, slot) => places.draw(slot, one.id, one).row === one).length
      return [seen, places.behind]
    }
    expect(Array.from({ length: 6 }, frame)).toEqual([[7, true], [14, true], [21, true], [28, true], [30, false], [30, false]])
  })

  it('is never another row than the one that belongs there', () => {
    const places = new Places<Row>()
    places.begin()
    const a = row('a')
    expect(places.draw(0, 'a', a)).toEqual({ row: a, blank: false })
    expect(places.draw(0, 'b', undefined)).toEqual({ row: a, blank: true })
    expect(places.draw(0, undefined, undefined)).toEqual({ row: a, blank: true })
    expect(places.draw(1, 'c', undefined)).toEqual({ row: undefined, blank: false })
  })

  it('is the row as it was until there is time for what is new of it', () => {
    const places = new Places<Row>()
    places.begin()
    const old = row('x')
    places.draw(99, 'x', old)
    places.begin()
    for (let slot = 0; slot < 20; slot += 1) places.draw(slot, `r${slot}`, row(`r${slot}`))
    expect(places.draw(99, 'x', row('x'))).toEqual({ row: old, blank: false })
    expect(places.behind).toBe(true)
  })
})
