/** JSON merge patches (RFC 7396), as `PATCH /preferences` takes them. */

/** What may be changed of a `T`: `null` takes something away, an object goes into the one that is there, a list replaces. */
export type Patch<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: Patch<NonNullable<T[K]>> | null }
    : T

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a patch makes of a value. What it does not touch stays the same object. */
export function merged<T>(target: T, patch: Patch<T>): T
export function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const made: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) delete made[name]
    else made[name] = merged(made[name], change as never)
  }
  return made
}

/** What lies in a value under these names. */
export function within(value: unknown, path: readonly string[]): unknown {
  let found: unknown = value
  for (const name of path) {
    // Own properties only: names of lists and of what the `ui` map holds are anybody's.
    if (!isObject(found) || !Object.hasOwn(found, name)) return undefined
    found = found[name]
  }
  return found
}

/** The patch that puts a value under these names. */
export function patchAt(path: readonly string[], value: unknown): Record<string, unknown> {
  return path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>
}
