/** What is said of a live stream that does not tell what changes. */
import { largest } from '~/format/format'
import type { Status } from '~/live/protocol'

/** A break shorter than this is mended before anybody could read of it. */
const PATIENCE_MS = 1500
/** To begin takes longer than to go on. */
const BEGINS_MS = 5000

export interface Said {
  /** What is the matter, and since when. */
  what: string
  why: string
  /** From when it is what is shown, and what is done about it. */
  then: string
}

/** `undefined`: nothing needs to be said. */
export function saidOf(status: Status, now: number): Said | undefined {
  const lasts = now - status.since
  const long = largest(lasts / 1000)
  if (status.state === 'connecting' && lasts >= BEGINS_MS) {
    return {
      what: `Live updates have not begun for ${long}`,
      why: 'nothing comes over the live stream yet',
      then: 'What you see is as it was when it was asked for.',
    }
  }
  if (status.state !== 'cut' || lasts < PATIENCE_MS) return undefined
  const next = status.nextTry === undefined ? 0 : Math.round((status.nextTry - now) / 1000)
  return {
    what: `Live updates stopped ${long} ago`,
    why: status.why,
    then: `What you see is from then. ${next > 0 ? `Next try in ${next} s.` : 'Trying now…'}`,
  }
}
