import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { QueryBox } from './QueryBox'

beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

function shown() {
  const onChange = vi.fn()
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MantineProvider env="test">
        <QueryBox list="guests" q="status:running" onChange={onChange} />
      </MantineProvider>
    </QueryClientProvider>,
  )
  return { box: screen.getByRole<HTMLInputElement>('combobox'), onChange }
}

it('keeps the filter when somebody leaves the box by Escape', () => {
  const { box, onChange } = shown()
  box.focus()
  fireEvent.keyDown(box, { key: 'Escape' })
  fireEvent.keyDown(box, { key: 'Escape' })
  expect(box.value).toBe('status:running')
  expect(document.activeElement).not.toBe(box)
  expect(onChange).not.toHaveBeenCalled()
})

it('leaves it to the keys of the page to lead to it, which know what lies over it', () => {
  const { box } = shown()
  fireEvent.keyDown(document.body, { key: '/' })
  expect(document.activeElement).not.toBe(box)
  expect(box.matches('[data-search]')).toBe(true)
})
