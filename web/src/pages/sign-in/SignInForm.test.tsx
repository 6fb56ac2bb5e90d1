import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { SignInForm } from './SignInPage'

const problem = (status: number, code: string, detail: string, remedy?: string) =>
  new Response(JSON.stringify({ type: `urn:muster:${code}`, title: code, status, detail, remedy }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })

vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
afterEach(cleanup)

it('takes a recovery code where the secret of the second factor cannot be read, and says why', async () => {
  const sent: unknown[] = []
  const answers = [
    problem(401, 'second_factor', 'A code of the second factor is needed.'),
    problem(500, 'second_factor_unreadable', 'The secret cannot be read.', 'Sign in with a recovery code.'),
    Response.json({ user: 'anna' }),
  ]
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push(await request.json())
    return answers.shift()
  })
  const enter = vi.fn()
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <SignInForm enter={enter} />
      </QueryClientProvider>
    </MantineProvider>,
  )
  const write = (label: RegExp, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } })
  const go = () => fireEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  write(/Name/, 'anna')
  write(/^Password/, 'a long password')
  go()
  await screen.findByLabelText(/^Code/)
  write(/^Code/, '123456')
  go()
  expect((await screen.findByRole('alert')).textContent).toMatch(/The secret cannot be read\..*Sign in with a recovery code\./)
  const code = screen.getByLabelText<HTMLInputElement>(/^Code/)
  await waitFor(() => expect([code.value, document.activeElement === code]).toEqual(['', true]))
  write(/^Code/, 'abcd-efgh')
  go()
  await waitFor(() => expect(enter).toHaveBeenCalledTimes(1))
  expect(sent[2]).toEqual({ user: 'anna', password: 'a long password', code: 'abcd-efgh' })
})
