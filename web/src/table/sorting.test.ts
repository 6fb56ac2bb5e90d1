import { describe, expect, it } from 'vitest'
import { direction, pressed, readSort, sorted } from './sorting'
import { ranged, toggled } from './selection'
import type { Column } from './types'

interface Row {
  id: string
  cpu?: number
}
const cpu: Column<Row> = { id: 'cpu', title: 'CPU', width: 1, sort: 'cpu', descending: true, value: (row) => row.cpu, cell: () => null }
const name: Column<Row> = { id: 'name', title: 'Name', width: 1, sort: 'name', value: (row) => row.id, cell: () => null }

describe('pressing a heading', () => {
  it('sorts its own way first, then the other, then as usual', () => {
    expect(pressed('', cpu, false)).toBe('-cpu')
    expect(pressed('-cpu', cpu, false)).toBe('cpu')
    expect(pressed('cpu', cpu, false)).toBe('')
    expect(pressed('', name, false)).toBe('name')
    expect(pressed('name', name, false)).toBe('-name')
    expect(direction('-cpu,name', cpu)).toBe('descending')
    expect(direction('-cpu', name)).toBe('none')
  })

  it('keeps the other keys when asked to', () => {
    expect(pressed('name', cpu, true)).toBe('name,-cpu')
    expect(pressed('name,-cpu', cpu, true)).toBe('name,cpu')
    expect(pressed('name,cpu', cpu, true)).toBe('name')
    expect(pressed('name', cpu, false)).toBe('-cpu')
  })

  it('reads what people write by hand', () => {
    expect(readSort(' -cpu , name,, -')).toEqual([
      { key: 'cpu', descending: true },
      { key: 'name', descending: false },
    ])
  })
})

describe('rows at hand', () => {
  const rows: Row[] = [{ id: 'web-10', cpu: 1 }, { id: 'web-2' }, { id: 'web-1', cpu: 0 }]
  const ids = (sort: string) => sorted(rows, [cpu, name], sort).map((row) => row.id)

  it('are sorted as people do, what is not known last either way round', () => {
    expect(ids('name')).toEqual(['web-1', 'web-2', 'web-10'])
    expect(ids('cpu')).toEqual(['web-1', 'web-10', 'web-2'])
    expect(ids('-cpu')).toEqual(['web-10', 'web-1', 'web-2'])
    expect(ids('')).toEqual(['web-10', 'web-2', 'web-1'])
  })
})

describe('a selection', () => {
  const at = (index: number) => (index === 2 ? undefined : { id: `r${index}` })

  it('takes and leaves one, and takes all known ones between two', () => {
    const one = toggled(new Map<string, Row>(), { id: 'r0' })
    expect([...one.keys()]).toEqual(['r0'])
    expect([...ranged(one, 4, 1, at).keys()].sort()).toEqual(['r0', 'r1', 'r3', 'r4'])
    expect(toggled(one, { id: 'r0' }).size).toBe(0)
  })
})
