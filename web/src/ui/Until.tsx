/** Counts down to an instant. */
import { largest } from '~/format/format'
import { instant } from './Time'
import { useNow } from './now'

export function Until({ at }: { at: string }) {
  const now = useNow()
  const left = ((instant(at) ?? now) - now) / 1000
  return <span className="figures">{left < 1 ? 'now' : `in ${largest(left)}`}</span>
}
