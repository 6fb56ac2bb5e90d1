import { notifications, notificationsStore } from '@mantine/notifications'
import { QueryClient } from '@tanstack/react-query'
import type { RegisteredRouter } from '@tanstack/react-router'
import { describe, expect, it, vi } from 'vitest'
import { current, openDialog } from '~/actions/operate'
import { Refusal } from '~/api/client'
import { wishes } from '~/api/once'
import { backFrom, endSession, wayBack } from './ending'

describe('the way back after a sign-in', () => {
  it.each([
    ['/guests?q=tag%3Aprod&sort=-cpu', '/guests?q=tag%3Aprod&sort=-cpu'],
    ['/guests/7/101?tab=events', '/guests/7/101?tab=events'],
    ['/tasks/7/UPID%3Apve1', '/tasks/7/UPID%3Apve1'],
    [undefined, '/'],
    ['', '/'],
    ['//evil.example/', '/'],
    ['/\\evil.example/', '/'],
    ['/\t/evil.example/', '/'],
    ['https://evil.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['guests', '/'],
    ['/sign-in?to=%2Fguests', '/'],
    ['/setup', '/'],
    ['/settings?tab=users', '/settings?tab=users'],
  ])('of %j is %j', (to, wanted) => {
    expect(wayBack(to)).toBe(wanted)
  })

  it('is not spelt out for the overview', () => {
    expect(backFrom('/')).toEqual({})
    expect(backFrom('/nodes')).toEqual({ to: '/nodes' })
  })
})

it('leaves nothing of who was signed in to who comes next', async () => {
  const queries = new QueryClient()
  queries.setQueryData(['session'], { user: 'anna' })
  queries.setQueryData(['guest', '1'], { name: 'web' })
  const navigate = vi.fn(() => Promise.resolve())
  const router = { navigate, state: { location: { href: '/guests' } } } as unknown as RegisteredRouter
  const about = { deed: 'power', things: ['guest 1/101'] }
  const noAnswer = new Refusal({ type: 'urn:muster:console:no_answer', title: '', status: 0 })
  await wishes.send('reboot', about, () => Promise.reject(noAnswer)).catch(() => undefined)
  openDialog({ action: 'stop', targets: [{ remote: '1', vmid: 101, name: 'web' }] })
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) notifications.show({ message: `${name} was stopped`, autoClose: false })

  endSession(queries, router)

  expect(current()).toBeUndefined()
  expect(wishes.unknown('stop', about)).toEqual([])
  const { notifications: shown, queue } = notificationsStore.getState()
  expect([...shown, ...queue]).toEqual([])
  expect(queries.getQueryData(['guest', '1'])).toBeUndefined()
  expect(navigate).toHaveBeenCalledWith(expect.objectContaining({ to: '/sign-in', search: { to: '/guests' } }))
})
