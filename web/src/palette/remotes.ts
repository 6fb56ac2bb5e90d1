/** Connecting and disconnecting a remote from the palette. What came of it is said in a corner of the window. */
import { notifications } from '@mantine/notifications'
import type { RegisteredRouter } from '@tanstack/react-router'
import { api, problemFrom, Refusal, unwrap } from '~/api/client'
import type { RemoteRow } from '~/api/types'
import { words } from '~/format/format'
import type { RemoteVerb } from './match'

export async function actOnRemote(verb: RemoteVerb, { id, name }: RemoteRow, router: RegisteredRouter): Promise<void> {
  const params = { path: { remote: String(id) } }
  try {
    const now = await unwrap(
      verb === 'connect'
        ? api.POST('/api/v1/remotes/{remote}/connect', { params })
        : verb === 'disconnect'
          ? api.POST('/api/v1/remotes/{remote}/disconnect', { params, body: {} })
          : api.POST('/api/v1/remotes/{remote}/try', { params }),
    )
    const cause = now.link.cause?.sentence
    notifications.show({
      color: now.link.state === 'disconnected' || now.link.state === 'connected' ? 'muster' : 'blue',
      title: `${now.name} is ${words(now.link.state)}`,
      message: cause ?? 'Its page tells how the link fares from now on.',
    })
  } catch (error) {
    const problem = problemFrom(error)
    const open = error instanceof Refusal && error.code === 'open_operations'
    notifications.show({
      color: open ? 'yellow' : 'red',
      title: `${name} was not ${verb === 'try' ? 'tried' : `${verb}ed`}`,
      message: [problem.detail ?? problem.title, problem.remedy].filter(Boolean).join('. '),
    })
    // What has not ended is decided about where it is seen.
    if (open) void router.navigate({ to: '/remotes/$remote', params: { remote: String(id) } })
  }
}
