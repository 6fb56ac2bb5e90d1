/** For how long a kind of record stays, in words. */
import type { Schemas } from '~/api/types'
import { DASH, span } from '~/format/format'

export function keptFor(name: string, kept: Schemas['Retention'] | undefined): string {
  if (!kept) return DASH
  const long = kept.seconds == null ? 'ever' : span(kept.seconds)
  return name === 'audit' ? `${long}, once it was exported` : long
}
