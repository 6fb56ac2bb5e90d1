/** What follows from how a link stands: what a person may do about it, and why something may not be done. */
import type { Link, RemoteRow, Schemas, Session } from '~/api/types'
import { has } from '~/api/session'

export type Mend = 'connect' | 'sign_in' | 'second_factor' | 'trust' | 'try'

/** What would mend a link, the most likely first. Empty while there is nothing to mend. */
export function mends(link: Link): Mend[] {
  if (link.state === 'disconnected') return ['connect']
  if (link.state === 'connected') return []
  const codes = [link.cause?.code, ...link.endpoints.map((endpoint) => endpoint.cause?.code)]
  const found = new Set<Mend>()
  for (const code of codes) {
    const mend = code === undefined ? undefined : mendOf(code)
    if (mend) found.add(mend)
  }
  // A code that is asked for is answered before another sign-in is thought of.
  const order: Mend[] = ['second_factor', 'trust', 'sign_in']
  return [...order.filter((mend) => found.has(mend)), 'try']
}

/** What a person would do about a cause; most causes only need another try. */
export function mendOf(code: string): Mend | undefined {
  switch (code) {
    case 'certificate_changed':
    case 'untrusted_certificate':
      return 'trust'
    case 'second_factor_needed':
      return 'second_factor'
    case 'credentials_rejected':
      return 'sign_in'
    default:
      return undefined
  }
}

/** Endpoints whose certificate waits for a person. */
export function untrusted(link: Link): Schemas['Endpoint'][] {
  return link.endpoints.filter((endpoint) => mendOf(endpoint.cause?.code ?? '') === 'trust')
}

/** Why somebody may not change this remote; `undefined`: they may. */
export function forbidden(session: Session, remote: Pick<RemoteRow, 'id' | 'run_by'>): string | undefined {
  if (!has(session, 'administrator', remote.id)) return 'This needs the role administrator on this remote.'
  return elsewhere(remote)
}

/** Why a further address may not be given: whoever governs one remote only does not choose what Muster dials. */
export function forbiddenToDial(session: Session, remote: Pick<RemoteRow, 'id' | 'run_by'>): string | undefined {
  if (!has(session, 'administrator', null)) {
    return 'This needs the role administrator on all remotes: it makes Muster dial an address of your choice.'
  }
  return elsewhere(remote)
}

/** Why a link may not be tried: where credentials were rejected that may lock an account. */
export function forbiddenToTry(session: Session, remote: Pick<RemoteRow, 'id' | 'run_by' | 'link'>): string | undefined {
  const presents = [remote.link.cause, ...remote.link.endpoints.map((endpoint) => endpoint.cause)].some(
    (cause) => cause?.code === 'credentials_rejected',
  )
  if (presents && !has(session, 'administrator', remote.id)) {
    return 'It would present rejected credentials once more, which may lock the account: that needs the role administrator on this remote.'
  }
  return elsewhere(remote)
}

function elsewhere({ run_by: by }: Pick<RemoteRow, 'run_by'>): string | undefined {
  if (!by) return undefined
  return by.address
    ? `The Muster process ${by.process} looks after this remote: ask it at ${by.address}.`
    : `The Muster process ${by.process} looks after this remote: ask it there.`
}

/** `3 of 4`: how many of how many. What is not known is a question mark, and nothing known at all a dash. */
export function outOf(part: number | null | undefined, all: number | null | undefined): string {
  if (part == null && all == null) return '–'
  return `${part ?? '?'} of ${all ?? '?'}`
}

/** The versions that the endpoints told, each once. */
export function versions(told: Record<string, string>): string[] {
  return [...new Set(Object.values(told))].sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
}

/**
 * How a kind of fact stands. Late: not read for three of its intervals, and nothing says why. While the link is down (`up` is
 * false) nothing is read.
 */
export function coverageWord(
  row: Pick<Schemas['Coverage'], 'interval_seconds' | 'last_success' | 'last_error'>,
  now: number,
  up: boolean,
): 'good' | 'failing' | 'late' | 'not read yet' | 'waits for the link' {
  if (row.last_error) return 'failing'
  if (!up) return 'waits for the link'
  if (row.last_success == null) return 'not read yet'
  return now - Date.parse(row.last_success) > row.interval_seconds * 3000 ? 'late' : 'good'
}

/** The number of the guest that a line of the HA manager is about: `service:ct:101`. */
export function guestOf(line: string): string | undefined {
  return /^service:(?:ct|vm):(\d+)$/.exec(line)?.[1]
}

/** The words for a facet. */
export const FACETS: Record<string, string> = {
  version: 'Version',
  permissions: 'Permissions',
  cluster: 'Cluster status',
  resources: 'Resources (guests, nodes, storages)',
  tasks: 'Tasks',
  node_status: 'Status of nodes',
  ha_status: 'High availability',
  guest_config: 'Configurations of guests',
  addresses: 'Addresses of guests',
  certificates: 'Certificates of nodes',
}

/** A fingerprint in pairs, each with whether it is another than in `beside`. */
export function pairs(fingerprint: string, beside: string | undefined): { text: string; changed: boolean }[] {
  const other = beside?.split(':')
  return fingerprint.split(':').map((text, index) => ({ text, changed: other !== undefined && other[index] !== text }))
}
