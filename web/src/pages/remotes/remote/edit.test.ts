import { expect, test } from 'vitest'
import type { Remote } from '~/api/types'
import { draftOf, editOf, faults } from './edit'

const remote = (more: object) => ({ name: 'home', interval_seconds: null, web_url: 'https://192.0.2.7:8006', ...more }) as Remote

test('only what is another than before is asked for', () => {
  const before = draftOf(remote({}), '192.0.2.7:8006')
  expect(before).toEqual({ name: 'home', interval: '', web: '' })
  expect(editOf(before, { ...before })).toBeUndefined()
  expect(editOf(before, { ...before, name: ' attic ' })).toEqual({ name: 'attic' })
  expect(editOf(before, { ...before, interval: '30' })).toEqual({ interval_seconds: 30 })
})

test('what is emptied goes back to the usual', () => {
  const before = draftOf(remote({ interval_seconds: 30, web_url: 'https://pve.example' }), '192.0.2.7:8006')
  expect(before).toEqual({ name: 'home', interval: '30', web: 'https://pve.example' })
  expect(editOf(before, { ...before, interval: '', web: ' ' })).toEqual({ interval_seconds: null, web_url: null })
})

test('what the server refuses is told before', () => {
  const good = { name: 'home', interval: '', web: '' }
  expect(faults(good)).toEqual({})
  expect(faults({ name: '7', interval: '3', web: 'pve.example' })).toEqual({
    name: expect.any(String) as string,
    interval: expect.any(String) as string,
    web: expect.any(String) as string,
  })
  for (const interval of ['x', '-1', '86401', '1e9']) expect(faults({ ...good, interval }).interval).toBeDefined()
  for (const web of ['javascript:alert(1)', 'https://', 'ftp://pve']) expect(faults({ ...good, web }).web).toBeDefined()
})
