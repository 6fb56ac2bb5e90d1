import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { MantineProvider } from '@mantine/core'
import { act, fireEvent, render, renderHook, screen, waitFor } from '@testing-library/react'
import type { ReactNode } from 'react'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { askPreferences, usePreference } from './preferences'

/** A server that keeps preferences, and answers only when told to. */
const kept = vi.hoisted(() => ({ patches: [] as { patch: Record<string, unknown>; answer: (with_: unknown, status?: number) => void }[] }))

const shown = vi.hoisted(() => vi.fn<(said: { title: string; message: ReactNode }) => string>(() => 'x'))
vi.mock('@mantine/notifications', () => ({ notifications: { show: shown, hide: vi.fn() } }))

beforeEach(() => {
  kept.patches = []
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
  vi.stubGlobal('fetch', (request: Request) => {
    if (request.method === 'GET') return Promise.resolve(Response.json({ density: 'comfortable' }))
    return request.json().then(
      (patch: Record<string, unknown>) =>
        new Promise<Response>((resolve) => {
          kept.patches.push({
            patch,
            answer: (body, status = 200) =>
              resolve(
                new Response(JSON.stringify(body), {
                  status,
                  headers: { 'content-type': status === 200 ? 'application/json' : 'application/problem+json' },
                }),
              ),
          })
        }),
    )
  })
})
afterEach(() => vi.unstubAllGlobals())

async function held() {
  const queries = new QueryClient()
  await askPreferences(queries)
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>{children}</QueryClientProvider>
  )
  return renderHook(() => ({ density: usePreference('density'), sort: usePreference('lists', 'guests', 'sort') }), { wrapper })
}

describe('a preference', () => {
  it('holds at once, is sent as a patch, and keeps what the server says', async () => {
    const { result } = await held()
    expect(result.current.density[0]).toBe('comfortable')
    act(() => result.current.density[1]('compact'))
    await waitFor(() => expect(result.current.density[0]).toBe('compact'))
    await waitFor(() => expect(kept.patches).toHaveLength(1))
    expect(kept.patches[0]?.patch).toEqual({ density: 'compact' })
    act(() => kept.patches[0]?.answer({ density: 'compact', theme: 'dark' }))
    await waitFor(() => expect(result.current.density[0]).toBe('compact'))
  })

  it('does not fall back to an answer that knows nothing of a later change', async () => {
    const { result } = await held()
    act(() => result.current.density[1]('compact'))
    act(() => result.current.sort[1]('-cpu'))
    await waitFor(() => expect(result.current.sort[0]).toBe('-cpu'))
    await waitFor(() => expect(kept.patches).toHaveLength(1))
    act(() => kept.patches[0]?.answer({ density: 'compact' }))
    // One after the other, in their order.
    await waitFor(() => expect(kept.patches).toHaveLength(2))
    expect(kept.patches[1]?.patch).toEqual({ lists: { guests: { sort: '-cpu' } } })
    expect(result.current.sort[0]).toBe('-cpu')
    act(() => kept.patches[1]?.answer({ density: 'compact', lists: { guests: { sort: '-cpu' } } }))
    await waitFor(() => expect(result.current.sort[0]).toBe('-cpu'))
  })

  it('is taken back when the server refuses it', async () => {
    const { result } = await held()
    act(() => result.current.density[1]('compact'))
    await waitFor(() => expect(kept.patches).toHaveLength(1))
    act(() => kept.patches[0]?.answer({ type: 'urn:muster:invalid', title: 'No', status: 422 }, 422))
    await waitFor(() => expect(result.current.density[0]).toBe('comfortable'))
  })

  it('that would be written over what cannot be read offers to take that away, and then is kept', async () => {
    shown.mockClear()
    const { result } = await held()
    act(() => result.current.sort[1]('-cpu'))
    await waitFor(() => expect(kept.patches).toHaveLength(1))
    const detail = 'What is kept of these cannot be read: lists, views.'
    act(() => kept.patches[0]?.answer({ type: 'urn:muster:preferences_unreadable', title: 'Conflict', status: 409, detail }, 409))
    await waitFor(() => expect(shown).toHaveBeenCalledTimes(1))
    render(<MantineProvider env="test">{shown.mock.lastCall?.[0].message}</MantineProvider>)
    screen.getByText(/cannot be read: lists, views/)
    screen.getByText(/the columns and the order of lists, the saved views\./)
    fireEvent.click(screen.getByRole('button', { name: 'Reset them' }))
    await waitFor(() => expect(kept.patches).toHaveLength(2))
    expect(kept.patches[1]?.patch).toEqual({ lists: null, views: null })
    act(() => kept.patches[1]?.answer({}))
    await waitFor(() => expect(kept.patches).toHaveLength(3))
    expect(kept.patches[2]?.patch).toEqual({ lists: { guests: { sort: '-cpu' } } })
    act(() => kept.patches[2]?.answer({ lists: { guests: { sort: '-cpu' } } }))
    await waitFor(() => expect(result.current.sort[0]).toBe('-cpu'))
  })
})
