/** For how long a kind of record stays, in words. */
import type { Schemas } from '~/api/types'
import { span } from '~/format/format'

export function keptFor(name: string, kept: Schemas['Retention'] | undefined): string {
  // No time is set for it: it goes with what it is of.
  if (!kept) return 'as long as it is needed'
  const long = kept.seconds == null ? 'ever' : span(kept.seconds)
  return name === 'audit' ? `${long}, once it was exported` : long
}
