/** A part of what is known of a thing: as last seen, and why it could not be seen anew, if it could not. */
import type { Cause } from '~/api/types'

export interface Part<T> {
  seen?: { value: T; at: string; through: string } | null
  error?: Cause | null
}
