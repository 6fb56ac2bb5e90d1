import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import type { Counts } from '~/api/types'
import { Chips } from './Chips'

afterEach(cleanup)

it('keeps its chips in their places while another question is asked, without the figures of the one before', () => {
  const counts = { state: { running: 3, paused: 1 } } as unknown as Counts
  const shown = (pending: boolean) => (
    <QueryClientProvider client={new QueryClient()}>
      <Chips
        what="guests"
        q=""
        onChange={() => undefined}
        counts={counts}
        pending={pending}
        groups={[{ key: 'status', from: 'state', usual: ['running', 'stopped'] }]}
        ask={() => Promise.reject(new Error())}
      />
    </QueryClientProvider>
  )
  const figures = () => screen.getAllByRole('button').map((chip) => chip.querySelector('[data-old]')?.textContent)
  const { rerender } = render(shown(false))
  expect(figures()).toEqual([undefined, undefined, undefined])
  rerender(shown(true))
  expect(figures()).toEqual(['3', '0', '1'])
})
