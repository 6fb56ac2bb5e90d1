import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { askPreferences, type SavedView } from '~/preferences/preferences'
import { Views } from './Views'

const server = { views: [] as SavedView[], read: true, patches: [] as unknown[] }

beforeEach(() => {
  server.views = []
  server.read = true
  server.patches = []
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
  vi.stubGlobal('ResizeObserver', class {
    observe = () => undefined
    unobserve = () => undefined
    disconnect = () => undefined
  })
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'PATCH') {
      server.patches.push(await request.json())
      return Response.json({})
    }
    if (server.read) return Response.json({ views: server.views })
    return new Response('{"type":"urn:muster:store","title":"No.","status":503}', { status: 503, headers: { 'content-type': 'application/problem+json' } })
  })
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const view = (name: string): SavedView => ({ name, list: 'guests', q: name, sort: '' })

async function shown() {
  const queries = new QueryClient()
  await askPreferences(queries)
  render(
    <QueryClientProvider client={queries}>
      <MantineProvider env="test">
        <Views list="guests" q="cpu>80%" sort="" onPick={() => undefined} />
      </MantineProvider>
    </QueryClientProvider>,
  )
  fireEvent.click(screen.getByRole('button', { name: 'Saved views' }))
}

async function save(name: string) {
  fireEvent.change(await screen.findByLabelText('Save what is shown as'), { target: { value: name } })
  fireEvent.click(screen.getByRole('button', { name: 'Save' }))
}

it('keeps the views that another window has saved meanwhile', async () => {
  server.views = [view('old')]
  await shown()
  server.views = [view('old'), view('elsewhere')]
  await save('mine')
  await waitFor(() => expect(server.patches).toHaveLength(1))
  expect(server.patches[0]).toEqual({ views: [view('old'), view('elsewhere'), { name: 'mine', list: 'guests', q: 'cpu>80%' }] })
})

it('takes none away when they cannot be read, and says so', async () => {
  server.views = [view('old')]
  await shown()
  server.read = false
  await save('mine')
  await screen.findByText('No.')
  expect(server.patches).toEqual([])
})
