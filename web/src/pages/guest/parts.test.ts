import { describe, expect, it } from 'vitest'
import type { GuestDetail } from '~/api/types'
import { kept, partsOf, reachable, waiting } from './parts'

const at = '2026-01-01T00:00:00Z'
const cause = { code: 'connect_timeout', sentence: 'timed out', remedy: '', needs_person: false }

function detail(over: Record<string, unknown>): GuestDetail {
  const none = { seen: null, error: null }
  return { id: '1/101', incarnation: 0, status: none, config: none, pending: none, interfaces: none, drift: [], ...over } as unknown as GuestDetail
}

describe('a newer look', () => {
  const seen = { value: { cores: '2' }, at, through: 'a:8006' }
  const had = detail({ config: { seen, error: null }, drift: [{ field: 'ha' }] })

  it('keeps what was seen before, with why it is not newer', () => {
    const now = kept(had, detail({ config: { seen: null, error: cause }, status: { seen: null, error: cause } }))
    expect(partsOf(now).config).toEqual({ seen, error: cause })
    expect(partsOf(now).drift).toHaveLength(1)
  })

  it('takes over what it saw', () => {
    const newer = { value: { cores: '4' }, at, through: 'a:8006' }
    expect(partsOf(kept(had, detail({ config: { seen: newer, error: null } }))).config.seen).toBe(newer)
    expect(partsOf(kept(had, detail({ config: { seen: newer, error: null } }))).drift).toEqual([])
  })

  it('takes nothing from another life of the number', () => {
    expect(partsOf(kept(had, detail({ incarnation: 1 }))).config.seen).toBeNull()
  })
})

it('finds what waits for a restart', () => {
  const rows = [
    { key: 'cores', value: '2', pending: '4', delete: null },
    { key: 'memory', value: '512', pending: null, delete: null },
    { key: 'net1', value: 'x', pending: null, delete: 1 },
    { key: 'net2', value: 'x', pending: null, delete: 0 },
  ]
  expect(waiting(rows).map((row) => row.key)).toEqual(['cores', 'net1'])
})

it('leaves out addresses that reach nobody else', () => {
  const made = reachable([
    { name: 'lo', mac: null, addresses: ['127.0.0.1/8'] },
    { name: 'eth0', mac: null, addresses: ['192.0.2.5/24', 'fe80::1/64', '2001:db8::5/64'] },
  ])
  expect(made).toEqual([{ name: 'eth0', mac: null, addresses: ['192.0.2.5/24', '2001:db8::5/64'] }])
})
