import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { ColumnsMenu } from './ColumnsMenu'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

it('is there only where there are columns to choose', () => {
  const menu = (narrow: boolean) => {
    vi.stubGlobal('fetch', () => Promise.resolve(Response.json({})))
    vi.stubGlobal('matchMedia', () => ({ matches: narrow, addEventListener: () => undefined, removeEventListener: () => undefined }))
    render(
      <QueryClientProvider client={new QueryClient()}>
        <MantineProvider env="test">
          <ColumnsMenu name="guests" columns={[]} />
        </MantineProvider>
      </QueryClientProvider>,
    )
    const found = screen.queryByRole('button', { name: 'Columns and density' })
    cleanup()
    return found !== null
  }
  expect(menu(false)).toBe(true)
  expect(menu(true)).toBe(false)
})
