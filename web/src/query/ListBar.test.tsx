import { MantineProvider } from '@mantine/core'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Refusal } from '~/api/client'
import { ListBar } from './ListBar'

vi.mock('./Views', () => ({ Views: () => null }))
vi.mock('./Partial', () => ({ Partial: () => null }))
vi.mock('./Chips', () => ({ Chips: () => <button type="button">running</button> }))
vi.mock('./suggestions', () => ({ useSuggestions: () => [] }))
vi.mock('~/table/ColumnsMenu', () => ({ ColumnsMenu: () => null }))

beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const bar = (error: unknown) => (
  <MantineProvider env="test">
    <ListBar list="guests" one="guest" q="statsu:x" sort="" onChange={() => undefined} columns={[]} total={3} counts={undefined} error={error} chips={[]} />
  </MantineProvider>
)

it('says what is wrong with a query in the place of the figures, and over nothing', () => {
  const { rerender } = render(bar(undefined))
  expect(screen.getByRole('status').textContent).toBe('3 guests')
  const problem = { type: 'urn:muster:query', title: 'x', detail: 'there is no key statsu', remedy: 'Did you mean status?', status: 422, at: { start: 0, end: 6 } }
  rerender(bar(new Refusal(problem)))
  const said = screen.getByRole('alert')
  expect(said.textContent).toContain('there is no key statsu – Did you mean status?')
  expect(screen.queryByRole('button', { name: 'running' })).toBeNull()
  const box = screen.getByRole('combobox')
  expect([box.getAttribute('aria-invalid'), box.getAttribute('aria-describedby')]).toEqual(['true', said.id])
  expect(document.querySelector('mark')?.textContent).toBe('statsu')
  rerender(bar(undefined))
  expect(screen.getByRole('button', { name: 'running' })).toBeTruthy()
})
