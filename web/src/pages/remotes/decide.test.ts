import { expect, test } from 'vitest'
import type { Link, Session } from '~/api/types'
import { coverageWord, forbidden, forbiddenToDial, forbiddenToTry, guestOf, mends, outOf, pairs, versions } from './decide'

const cause = (code: string) => ({ code, sentence: code, remedy: '', needs_person: false })
const endpoint = (id: string, code?: string) => ({
  id,
  name: id,
  health: code ? 'stopped' : 'good',
  in_use: false,
  ...(code ? { cause: cause(code) } : {}),
})
const link = (state: string, code?: string, ...endpoints: ReturnType<typeof endpoint>[]): Link => ({
  state,
  up: state === 'connected' || state === 'degraded',
  needs_person: false,
  sentence: state,
  since: '2026-01-01T00:00:00Z',
  endpoints,
  ...(code ? { cause: cause(code) } : {}),
})
const session = (role: string, remote?: number): Session =>
  ({ user: 'anna', grants: [{ role, scope: remote === undefined ? { kind: 'all' } : { kind: 'remote', value: remote } }] }) as unknown as Session

test('what would mend a link follows from its state and cause', () => {
  expect(mends(link('connected'))).toEqual([])
  expect(mends(link('disconnected'))).toEqual(['connect'])
  expect(mends(link('backing_off', 'refused'))).toEqual(['try'])
  expect(mends(link('credentials_rejected', 'credentials_rejected'))).toEqual(['sign_in', 'try'])
  expect(mends(link('credentials_rejected', 'second_factor_needed'))).toEqual(['second_factor', 'try'])
  expect(mends(link('certificate_changed', 'certificate_changed'))).toEqual(['trust', 'try'])
})

test('an endpoint that waits for a person is not forgotten while the link is up', () => {
  const degraded = link('degraded', undefined, endpoint('a:8006'), endpoint('b:8006', 'certificate_changed'))
  expect(mends(degraded)).toEqual(['trust', 'try'])
})

test('who governs one remote may change that one, but not choose what is dialled', () => {
  expect(forbidden(session('administrator', 7), { id: 7 })).toBeUndefined()
  expect(forbidden(session('administrator', 7), { id: 8 })).toMatch(/role administrator/)
  expect(forbidden(session('operator'), { id: 7 })).toMatch(/role administrator/)
  expect(forbiddenToDial(session('administrator', 7), { id: 7 })).toMatch(/all remotes/)
  expect(forbiddenToDial(session('administrator'), { id: 7 })).toBeUndefined()
})

test('what another process looks after is asked there', () => {
  const remote = { id: 7, run_by: { process: 'muster-2', address: 'https://muster-2.example' } }
  expect(forbidden(session('administrator'), remote)).toContain('https://muster-2.example')
})

test('everybody may try a link, but not present rejected credentials once more', () => {
  const refused = { id: 7, link: link('backing_off', 'refused') }
  const rejected = { id: 7, link: link('credentials_rejected', 'credentials_rejected') }
  const hidden = { id: 7, link: link('degraded', undefined, endpoint('b:8006', 'credentials_rejected')) }
  expect(forbiddenToTry(session('viewer'), refused)).toBeUndefined()
  expect(forbiddenToTry(session('viewer'), rejected)).toMatch(/lock the account/)
  expect(forbiddenToTry(session('viewer'), hidden)).toMatch(/lock the account/)
  expect(forbiddenToTry(session('administrator', 7), rejected)).toBeUndefined()
})

test('unknown is never nothing', () => {
  expect(outOf(null, null)).toBe('–')
  expect(outOf(null, 5)).toBe('? of 5')
  expect(outOf(0, 5)).toBe('0 of 5')
})

test('each version is told once, the newest first', () => {
  expect(versions({ a: '8.4.5', b: '9.2.3', c: '9.2.3', d: '10.0' })).toEqual(['10.0', '9.2.3', '8.4.5'])
})

test('a kind of facts is late after three of its intervals', () => {
  const at = Date.parse('2026-01-01T00:00:00Z')
  const row = { interval_seconds: 10, last_success: '2026-01-01T00:00:00Z', last_error: null }
  expect(coverageWord(row, at + 29_000, true)).toBe('good')
  expect(coverageWord(row, at + 31_000, true)).toBe('late')
  expect(coverageWord({ ...row, last_success: null }, at, true)).toBe('not read yet')
  expect(coverageWord({ ...row, last_error: { cause: 'refused', at: '' } as never }, at, true)).toBe('failing')
  // Nothing is read over a link that is down: how it was is not how it is.
  expect(coverageWord(row, at + 1000, false)).toBe('waits for the link')
  expect(coverageWord({ ...row, last_error: { cause: 'refused', at: '' } as never }, at, false)).toBe('failing')
})

test('of two fingerprints what differs is marked', () => {
  expect(pairs('AA:BB:CC', 'AA:B0:CC').map((pair) => pair.changed)).toEqual([false, true, false])
  expect(pairs('AA:BB', undefined).some((pair) => pair.changed)).toBe(false)
})

test('a line of the HA manager leads to its guest', () => {
  expect(guestOf('service:ct:101')).toBe('101')
  expect(guestOf('lrm:pve1')).toBeUndefined()
})
