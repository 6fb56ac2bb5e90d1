import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { act, cleanup, renderHook, waitFor } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { api } from '~/api/client'
import type { Guest } from '~/api/types'
import { only } from '~/table/selection'
import { usePicked } from './usePicked'

afterEach(() => {
  cleanup()
  vi.restoreAllMocks()
})

const guest = (remote_id: number, vmid: number) => ({ id: `${remote_id}/${vmid}`, remote_id, vmid }) as Guest

/** A list whose address changes with what is selected, as the page's does. */
function shown(queries: QueryClient, q: string, text = '') {
  const at = { q, text }
  const hook = renderHook(() => usePicked(at.q, at.text, ({ picked }) => (at.text = picked)), {
    wrapper: ({ children }) => <QueryClientProvider client={queries}>{children}</QueryClientProvider>,
  })
  const goTo = (next: Partial<typeof at>) => {
    Object.assign(at, next)
    hook.rerender()
  }
  return { hook, at, goTo, ids: () => [...hook.result.current.selected.keys()] }
}

function answering(...there: Guest[]) {
  const asked: string[] = []
  vi.spyOn(api, 'GET').mockImplementation(((_: string, { params }: { params: { query: { q: string } } }) => {
    asked.push(params.query.q)
    const items = there.filter(({ remote_id }) => params.query.q.includes(`remote:${remote_id} `))
    return Promise.resolve({ data: { items, total: items.length } })
  }) as unknown as typeof api.GET)
  return asked
}

it('is in the address at once, and asks for nothing that is at hand', () => {
  const asked = answering()
  const list = shown(new QueryClient(), 'cpu>80%')
  act(() => list.hook.result.current.select(only([guest(7, 101), guest(7, 100)])))
  list.hook.rerender()
  expect(list.at.text).toBe('7.100-101')
  expect(list.ids()).toEqual(['7/101', '7/100'])
  expect(asked).toEqual([])
})

it('selects what a link names, if it is in the list, and counts what is not', async () => {
  const asked = answering(guest(7, 100), guest(9, 5))
  const list = shown(new QueryClient(), 'tag:prod', '7.100-101_9.5')
  await waitFor(() => expect(list.ids()).toEqual(['7/100', '9/5']))
  expect(asked).toEqual(['tag:prod remote:7 vmid:100,101', 'tag:prod remote:9 vmid:5'])
  expect(list.hook.result.current.lost).toBe(1)
})

it('is there again after a look at something else', () => {
  const queries = new QueryClient()
  const asked = answering()
  const list = shown(queries, '')
  act(() => list.hook.result.current.select(only([guest(7, 100)])))
  list.hook.unmount()
  expect(shown(queries, '', '7.100').ids()).toEqual(['7/100'])
  expect(asked).toEqual([])
})

it('is of what was asked', () => {
  answering()
  const list = shown(new QueryClient(), 'a')
  act(() => list.hook.result.current.select(only([guest(7, 100)])))
  list.goTo({ q: 'b', text: '' })
  expect(list.ids()).toEqual([])
  list.goTo({ q: 'a' })
  expect(list.ids()).toEqual([])
})

it('says why what is named could not be asked for', async () => {
  vi.spyOn(api, 'GET').mockRejectedValue(new Error('no'))
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  const list = shown(queries, '', '7.100')
  await waitFor(() => expect(list.hook.result.current.error).toBeInstanceOf(Error))
})
