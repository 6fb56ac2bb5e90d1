/** Roles and where they hold, in words. */
import type { Role, Schemas } from '~/api/types'

export type Grant = Schemas['Grant']

export const ROLES: readonly { role: Role; may: string }[] = [
  { role: 'viewer', may: 'sees everything, changes nothing' },
  { role: 'operator', may: 'also starts and stops guests, ends tasks, opens consoles' },
  { role: 'provisioner', may: 'also makes, copies, configures and moves guests' },
  { role: 'administrator', may: 'also destroys guests, and governs remotes; everywhere: Muster itself and its people' },
]

/** What a remote is called, by its number. */
export type NameOf = (remote: number) => string

/** `operator everywhere and viewer on home`. */
export function inWords(grants: readonly Grant[], nameOf: NameOf): string {
  const parts = grants.map(({ role, scope }) => `${role} ${scope.kind === 'all' ? 'everywhere' : `on ${nameOf(scope.value)}`}`)
  const last = parts.pop()
  if (last === undefined) return 'nothing: without a role nothing is seen'
  return parts.length === 0 ? last : `${parts.join(', ')} and ${last}`
}

/** The same place twice has no meaning: the wider role holds. Returns what to say of it. */
export function faultOf(grants: readonly Grant[]): string | undefined {
  const places = grants.map(({ scope }) => (scope.kind === 'all' ? 'all' : scope.value))
  return new Set(places).size === places.length ? undefined : 'One place has two roles here: keep the wider one.'
}

/** Whether two sets say the same. */
export function same(a: readonly Grant[], b: readonly Grant[]): boolean {
  const text = (grants: readonly Grant[]) =>
    grants
      .map(({ role, scope }) => `${role} ${scope.kind === 'all' ? '' : scope.value}`)
      .sort()
      .join()
  return text(a) === text(b)
}
