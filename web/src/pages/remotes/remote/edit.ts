/** What an edit of a remote asks for: only what is another than before. */
import type { Remote, Schemas } from '~/api/types'
import { nameFault } from '../add/onboarding'

export interface Draft {
  name: string
  interval: string
  web: string
}

export function draftOf(remote: Remote, first: string | undefined): Draft {
  const usual = first === undefined ? undefined : `https://${first}`
  return {
    name: remote.name,
    interval: remote.interval_seconds == null ? '' : String(remote.interval_seconds),
    web: remote.web_url && remote.web_url !== usual ? remote.web_url : '',
  }
}

export interface Faults {
  name?: string
  interval?: string
  web?: string
}

export function faults(draft: Draft): Faults {
  const found: Faults = {}
  const name = nameFault(draft.name)
  if (name) found.name = name
  const interval = draft.interval.trim()
  const seconds = Number(interval)
  if (interval !== '' && !(seconds >= 10 && seconds <= 86_400)) found.interval = 'Between 10 seconds and a day (86400).'
  const web = draft.web.trim()
  if (web !== '' && !/^https?:\/\/[^\s/]+/i.test(web)) found.web = 'It begins with https:// or http://.'
  return found
}

/** `undefined`: nothing is another than before. */
export function editOf(before: Draft, draft: Draft): Schemas['RemoteEdit'] | undefined {
  const edit: Schemas['RemoteEdit'] = {}
  const name = draft.name.trim()
  const interval = draft.interval.trim()
  const web = draft.web.trim()
  if (name !== before.name) edit.name = name
  if (interval !== before.interval) edit.interval_seconds = interval === '' ? null : Number(interval)
  if (web !== before.web) edit.web_url = web === '' ? null : web
  return Object.keys(edit).length === 0 ? undefined : edit
}
