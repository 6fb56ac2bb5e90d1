import { describe, expect, it } from 'vitest'
import type { Node, RemoteRow } from '~/api/types'
import { lines, sumOf } from './tree'

const remote = (id: number, guests?: number) => ({ id, name: `r${id}`, counts: { guests } }) as unknown as RemoteRow
const node = (id: string) => ({ id, name: id }) as unknown as Node

describe('how many guests all remotes have', () => {
  it('is a number only when it is known of all', () => {
    expect(sumOf([remote(1, 3), remote(2, 4)])).toBe('7')
    expect(sumOf([remote(1, 3), remote(2)])).toBe('≥ 3')
    expect(sumOf([remote(1), remote(2)])).toBe('–')
    expect(sumOf([])).toBe('0')
  })
})

describe('the lines', () => {
  const place = ({ id, at, of }: { id: string; at: number; of: number }) => `${id} ${at}/${of}`

  it('know their places among those beside them', () => {
    const below = (id: number) => (id === 1 ? [node('a'), node('b')] : undefined)
    expect(lines([remote(1, 1), remote(2, 1)], new Set([1, 2]), below, '').map(place)).toEqual([
      'all 1/3', 'r1 2/3', 'a 1/2', 'b 2/2', 'r2 3/3', 'n2 1/1',
    ])
    expect(lines([remote(1, 1), remote(2, 1)], new Set(), below, 'R2').map(place)).toEqual(['r2 1/1'])
  })

  it('tell apart nodes that are not there, not told and not to be had', () => {
    const of = (below: Node[] | 'failed' | undefined) => lines([remote(1)], new Set([1]), () => below, '').at(-1)
    expect([of(undefined), of('failed'), of([])].map((line) => line?.kind === 'note' && line.text)).toEqual([
      '…', 'could not be loaded', 'no nodes known',
    ])
  })
})
