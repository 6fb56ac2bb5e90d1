import { describe, expect, it } from 'vitest'
import { shortfalls } from './Partial'
import { joined } from './suggestions'

const whole = { total: 5, up: 5, needs_person: 0, never_listed: 0, unreadable: 0 }
const short = (of: Partial<typeof whole>) => shortfalls({ ...whole, ...of }, 'guests').map((one) => one.short)

describe('what is wanting of a list', () => {
  it('is nothing while all remotes are connected, and unknown before anything is told', () => {
    expect(short({})).toEqual([])
    expect(shortfalls(undefined, 'guests')).toEqual([])
  })

  it('tells apart what is old, what was never known, and what could not be read', () => {
    expect(short({ up: 4 })).toEqual(['1 remote not connected'])
    expect(short({ up: 3, never_listed: 1 })).toEqual(['2 remotes not connected', '1 remote never listed'])
    expect(short({ unreadable: 3 })).toEqual(['3 rows unreadable'])
    expect(shortfalls({ ...whole, up: 3, needs_person: 2 }, 'guests')[0]?.sentence).toContain('waiting for a person')
  })
})

describe('what the server suggests', () => {
  const here = [{ replace: [0, 4] as const, text: 'tag:' }]

  it('comes after what stands there already, each once, at the place it means', () => {
    const told = [
      { replace: [0, 2] as [number, number], text: 'tag:', type: 'field', what: '' },
      { replace: [3, 5] as [number, number], text: 'größe', type: 'live', what: 'a tag' },
    ]
    expect(joined(here, 'é:äx', told)).toEqual([...here, { replace: [2, 3], text: 'größe', what: 'a tag' }])
    expect(joined(here, 'x', undefined)).toBe(here)
  })
})
