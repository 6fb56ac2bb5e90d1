import { QueryClient, QueryClientProvider, useMutation } from '@tanstack/react-query'
import { act, renderHook } from '@testing-library/react'
import { type ReactNode, StrictMode } from 'react'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { inUse, useEndWhenLeft } from './useOnboarding'

const ended = vi.hoisted(() => vi.fn<(id: string) => void>())
vi.mock('~/api/client', async (original) => ({
  ...(await original<object>()),
  api: {
    DELETE: (_: string, { params }: { params: { path: { id: string } } }) => {
      ended(params.path.id)
      return Promise.resolve({ data: {} })
    },
  },
}))

function wizard(first: { id: string | undefined; used: boolean }) {
  const queries = new QueryClient()
  const made = renderHook(
    ({ id, used }: { id: string | undefined; used: boolean }) => {
      useEndWhenLeft(id, used)
      return useMutation({ mutationKey: inUse('a'), mutationFn: () => new Promise(() => undefined) })
    },
    {
      initialProps: first,
      wrapper: ({ children }: { children: ReactNode }) => (
        <StrictMode>
          <QueryClientProvider client={queries}>{children}</QueryClientProvider>
        </StrictMode>
      ),
    },
  )
  return made
}

const soon = () => act(() => new Promise((resolve) => setTimeout(resolve, 5)))

describe('an onboarding whose page is left', () => {
  beforeEach(() => ended.mockClear())

  it('is ended, and not before', async () => {
    const { rerender, unmount } = wizard({ id: undefined, used: false })
    rerender({ id: 'a', used: false })
    await soon()
    expect(ended).not.toHaveBeenCalled()
    unmount()
    await soon()
    expect(ended.mock.calls).toEqual([['a']])
  })

  it('is not ended when something was made of it, or nothing was begun', async () => {
    wizard({ id: 'a', used: true }).unmount()
    wizard({ id: undefined, used: false }).unmount()
    await soon()
    expect(ended).not.toHaveBeenCalled()
  })

  it('is not ended under what is being made of it', async () => {
    const { result, unmount } = wizard({ id: 'a', used: false })
    act(() => result.current.mutate())
    await soon()
    unmount()
    await soon()
    expect(ended).not.toHaveBeenCalled()
  })
})
