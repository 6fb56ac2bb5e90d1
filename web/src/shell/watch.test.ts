import { describe, expect, it } from 'vitest'
import type { Session } from '~/api/types'
import { verdict } from './watch'

const anna: Session = {
  user: 'anna',
  via: 'session',
  grants: [{ role: 'viewer', scope: { kind: 'all' } }],
  instance: '9f31c0aa',
  version: '0.1.0',
  expires: '2026-01-01T12:00:00Z',
  warnings: [],
}

describe('what became of a session', () => {
  it.each([
    ['same', null, null],
    ['began', null, anna],
    ['ended', anna, null],
    ['same', anna, { ...anna, expires: '2026-01-01T12:05:00Z', csrf: 'x' }],
    ['another', anna, { ...anna, user: 'ben' }],
    ['another', anna, { ...anna, instance: '00000000' }],
    ['changed', anna, { ...anna, grants: [] }],
    ['changed', anna, { ...anna, warnings: ['plain HTTP'] }],
  ] as [string, Session | null, Session | null][])('is: %s', (wanted, had, now) => {
    expect(verdict(had, now)).toBe(wanted)
  })
})
