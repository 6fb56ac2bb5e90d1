/** The end of a session, however it came: nothing that was seen stays, and whoever signs in is brought back to where it ended. */
import { notifications } from '@mantine/notifications'
import type { QueryClient } from '@tanstack/react-query'
import type { RegisteredRouter } from '@tanstack/react-router'
import { forgetLost } from '~/actions/ask'
import { closeDialog } from '~/actions/operate'
import { endWatching } from '~/actions/watch'
import { carry } from '~/api/client'
import { wishes } from '~/api/once'
import { sessionQuery } from '~/api/session'

/** Addresses outside of the sign-in: nobody is brought back to them. */
const OUTSIDE = ['/sign-in', '/setup']

/** Where to go after the sign-in: an address of this console, whatever the text says. */
export function wayBack(to: string | undefined): string {
  if (!to || !/^\/(?![/\\])/.test(to)) return '/'
  // Browsers take line ends and tabs out of addresses: what is left may lead elsewhere.
  if (to.includes('\\') || [...to].some((letter) => letter < ' ')) return '/'
  const path = to.replace(/[?#].*$/, '')
  return OUTSIDE.includes(path.replace(/\/+$/, '')) ? '/' : to
}

/** What the address of the sign-in says about the way back. */
export function backFrom(href: string): { to?: string } {
  const to = wayBack(href)
  return to === '/' ? {} : { to }
}

/** Forgets everything and asks for a sign-in. `leave`: the person wanted it, and starts anew afterwards. */
export function endSession(queries: QueryClient, router: RegisteredRouter, leave = false): void {
  if (queries.getQueryData(sessionQuery.queryKey) === null) return
  carry(undefined)
  closeDialog()
  forgetLost()
  endWatching()
  wishes.clear()
  notifications.clean()
  queries.clear()
  queries.setQueryData(sessionQuery.queryKey, null)
  const search = leave ? {} : backFrom(router.state.location.href)
  void router.navigate({ to: '/sign-in', search, replace: !leave })
}
