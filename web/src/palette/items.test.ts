import { beforeEach, expect, it, vi } from 'vitest'
import type { Node, RemoteRow, Session } from '~/api/types'
import { NOTHING } from './find'
import { itemsFor, type World } from './items'
import { meant } from './match'

const act = vi.hoisted(() => vi.fn())
vi.mock('./remotes', () => ({ actOnLink: act }))

const navigate = vi.fn()
const grants: Session['grants'] = [{ role: 'administrator', scope: { kind: 'all' } }]
const world = { router: { navigate }, session: { user: 'anna', grants } } as unknown as World
const link = { state: 'connected', up: true, endpoints: [] }
const rack = { id: 7, name: 'rack', link } as unknown as RemoteRow

beforeEach(() => vi.clearAllMocks())

it('says of a node how it is now, not how it was when it was last seen', () => {
  const node = { id: '7/pve1', name: 'pve1', remote: 'rack', remote_id: 7, state: 'online', word: 'unknown' } as unknown as Node
  const found = itemsFor(meant('pve1'), { ...NOTHING, nodes: [node] }, world).find(({ id }) => id === 'node 7/pve1')
  expect(found?.hint).toBe('unknown, rack')
})

it('tries a remote at once, and asks before it disconnects one', () => {
  const deed = (text: string) => itemsFor(meant(text), { ...NOTHING, remotes: [rack] }, world)[0]
  deed('disconnect rack')?.run()
  expect(act).not.toHaveBeenCalled()
  expect(navigate.mock.lastCall).toEqual([{ to: '/remotes/$remote', params: { remote: '7' }, search: { do: 'disconnect' } }])
  deed('try rack')?.run()
  expect(act.mock.lastCall).toEqual(['try', rack])
})
