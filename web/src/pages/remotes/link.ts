/** Trying and connecting the link to a remote: the same wish from its page, from notices about it, and from the palette. */
import { api, unwrap } from '~/api/client'
import { type About, once } from '~/api/once'
import type { Remote } from '~/api/types'
import { aboutRemote, useChange } from './useRemote'

export type LinkDeed = 'connect' | 'try'

/** Whose link it is. */
type Of = Pick<Remote, 'id' | 'name'>

/** The deed as it is told when it was done, and after `was not`. */
export const DONE: Record<LinkDeed, string> = { connect: 'connected', try: 'tried' }

function about(deed: LinkDeed, { id, name }: Of): About {
  return aboutRemote(id, deed, `${name} was ${DONE[deed]}`)
}

function send(deed: LinkDeed, params: { path: { remote: string }; header: { 'Idempotency-Key': string } }): Promise<Remote> {
  return unwrap(
    deed === 'connect' ? api.POST('/api/v1/remotes/{remote}/connect', { params }) : api.POST('/api/v1/remotes/{remote}/try', { params }),
  )
}

/** Asks for it outside of a component. */
export function askForLink(deed: LinkDeed, of: Of): Promise<Remote> {
  return once(undefined, about(deed, of), (key) =>
    send(deed, { path: { remote: String(of.id) }, header: { 'Idempotency-Key': key } }),
  )
}

export function useLinkDeed(deed: LinkDeed, of: Of) {
  return useChange(of, (_: void, params) => send(deed, params), undefined, about(deed, of))
}
