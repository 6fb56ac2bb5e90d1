/** What the steps of adding a remote decide, apart from how they look. */
import type { Problem, Schemas } from '~/api/types'
import { sentence } from '~/format/format'

export type Onboarding = Schemas['Onboarding']
export type Rights = Schemas['Rights']
export type Realm = Schemas['Realm']
export type SignedIn = Schemas['SignedIn']

/** What is on screen. The server's own step says how far one may go. */
export type View = 'address' | 'certificate' | 'sign_in' | 'second_factor' | 'finish'

export const VIEWS: { view: View; label: string }[] = [
  { view: 'address', label: 'Address' },
  { view: 'certificate', label: 'Certificate' },
  { view: 'sign_in', label: 'Sign-in' },
  { view: 'second_factor', label: 'Second factor' },
  { view: 'finish', label: 'Rights and name' },
]

export function viewOf(step: Onboarding['step']): View {
  return step === 'trust' ? 'certificate' : step
}

const RANK: Record<View, number> = { address: 0, certificate: 1, sign_in: 2, second_factor: 3, finish: 4 }

/** Whether a step lies behind the one on screen, or before where the server stands: then one may go to it. */
export function reachable(view: View, state: Onboarding | undefined): boolean {
  if (view === 'address') return true
  if (state === undefined) return false
  // A code is asked for once: who signed in has given it, or has none.
  if (view === 'second_factor') return state.step === 'second_factor'
  return RANK[view] <= RANK[viewOf(state.step)]
}

/** `root` and `pam` as `root@pam`. A name that names one of the realms already stays as it is. */
export function userAt(name: string, realm: string, realms: readonly Realm[]): string {
  const typed = name.trim()
  const at = typed.lastIndexOf('@')
  const named = at > 0 ? typed.slice(at + 1) : undefined
  if (named !== undefined && (realms.length === 0 || realms.some((one) => one.name === named))) return typed
  return realm === '' ? typed : `${typed}@${realm}`
}

/** The realm to begin with. */
export function firstRealm(realms: readonly Realm[]): string {
  return realms.find((realm) => realm.default)?.name ?? realms.find((realm) => realm.name === 'pam')?.name ?? realms[0]?.name ?? ''
}

/** What can be told of a realm beside its name. */
export function realmLabel(realm: Realm): string {
  return realm.comment ? `${realm.name} – ${realm.comment}` : realm.name
}

/** An API token as people paste it: `USER@REALM!NAME=SECRET`, with or without what stands before it in a header. */
export function readToken(text: string): { id: string; secret: string } | undefined {
  const bare = text
    .trim()
    .replace(/^authorization:\s*/i, '')
    .replace(/^PVEAPIToken=/, '')
  const found = /^([^=!\s]+@[^=!\s]+![^=\s]+)[=:\s]\s*(\S+)$/.exec(bare)
  return found?.[1] && found[2] ? { id: found[1], secret: found[2] } : undefined
}

/** Why a remote may not be called that; `undefined`: it may, as far as the console knows. */
export function nameFault(name: string, taken: Iterable<string> = []): string | undefined {
  const wanted = name.trim()
  if (wanted === '') return 'It needs a name.'
  if (wanted.includes('/')) return 'A name has no slash.'
  if (/^\d+$/.test(wanted)) return 'A mere number would be taken for an id.'
  for (const other of taken) if (other === wanted) return 'A remote is already called so.'
  return undefined
}

export type Kept = Rights | 'password'

export interface Choice {
  value: Kept
  title: string
  sentence: string
  privileges: string[]
  /** What the account lacks, and can therefore not give. */
  lacking: string[]
  forbidden: boolean
}

const TITLES: Record<Rights, string> = {
  look: 'A token that may look',
  operate: 'A token that may look and switch guests',
  same_as_user: 'A token that may do whatever its user may',
}

/** What may be kept to sign in with from now on, the least first. */
export function choices(signedIn: SignedIn, factored: boolean): Choice[] {
  if (signedIn.with_token) return []
  const offers = (signedIn.offers ?? []).map(
    (offer): Choice => ({
      value: offer.rights,
      title: TITLES[offer.rights],
      sentence: sentence(offer.sentence),
      privileges: offer.privileges ?? [],
      lacking: offer.lacking ?? [],
      forbidden: offer.refused === true || (offer.lacking ?? []).length > 0,
    }),
  )
  const second = factored
    ? ' The account has a second factor: its code will be asked for at every new sign-in, after each restart for one.'
    : ''
  return [
    ...offers,
    {
      value: 'password',
      title: 'The password itself',
      sentence: `Nothing is made on the host. The password is kept, sealed, in Muster’s store, and opens whatever ${signedIn.user} may do.${second}`,
      privileges: [],
      lacking: [],
      forbidden: false,
    },
  ]
}

/** What is proposed: enough to work with, and no key to everything. */
export function firstChoice(offered: readonly Choice[]): Kept | undefined {
  const free = offered.filter((choice) => !choice.forbidden)
  for (const wish of ['operate', 'look'] as const) if (free.some((choice) => choice.value === wish)) return wish
  return undefined
}

/** What a failure is called where it happened. */
export function title(problem: Problem): string {
  return TITLE[problem.type.replace(/^urn:muster:/, '')] ?? problem.title
}

const TITLE: Record<string, string> = {
  address: 'That is no address',
  dns: 'No such name',
  refused: 'Nothing listens there',
  unreachable: 'There is no way to it',
  connect_timeout: 'It does not answer',
  tls_failure: 'TLS did not come about',
  untrusted_certificate: 'The certificate is not trusted',
  certificate_changed: 'It shows another certificate now',
  other_certificate: 'It shows another certificate now',
  no_answer: 'Connected, but no answer came',
  answer_cut: 'The answer broke off',
  not_http: 'What answers does not speak HTTPS',
  not_proxmox: 'That is not Proxmox VE',
  credentials_rejected: 'Rejected',
  privilege_missing: 'The account may not do that',
  server_error: 'Proxmox VE answered with an error',
  not_understood: 'Muster could not read the answer',
  unknown_realm: 'The host has no such realm',
  not_a_token: 'That is no API token',
  factor_unusable: 'This second factor works in a browser only',
  already_managed: 'Managed already',
  other_cluster: 'This is another cluster',
  name: 'It cannot have this name',
  not_offered: 'The account cannot give these rights',
  unproven: 'The token that was made does not prove itself',
}

const ON_HOST = 'On the host, as root: '

/** A remedy that names commands to run on the host: the words, and the commands apart. */
export function commands(remedy: string | null | undefined): { words: string; commands: string[] } {
  const text = remedy ?? ''
  const at = text.indexOf(ON_HOST)
  if (at < 0) return { words: text, commands: [] }
  return { words: text.slice(0, at).trim(), commands: text.slice(at + ON_HOST.length).split('; ').filter(Boolean) }
}

/** The kinds of second factor that can be typed. */
export const FACTORS: Record<string, { label: string; what: string }> = {
  totp: { label: 'Authenticator', what: 'The six digits that your authenticator shows' },
  recovery: { label: 'Recovery key', what: 'One of the recovery keys; each works once' },
  yubico: { label: 'YubiKey', what: 'Touch the key: it types the code' },
}

/** Of the kinds an account has, those that can be typed. Where none is named, an authenticator is the usual one. */
export function typed(kinds: readonly string[]): string[] {
  const known = kinds.filter((kind) => kind in FACTORS)
  return known.length > 0 ? known : ['totp']
}
