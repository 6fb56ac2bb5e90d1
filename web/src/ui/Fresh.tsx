/** How sure Muster is: the chip that says how old something is, where from, and why it is not newer. */
import { Badge, Tooltip } from '@mantine/core'
import type { Freshness } from '~/api/types'
import { ago, clock, exact } from '~/format/format'
import { useLiveStatus } from '~/live/hooks'
import { useNow } from './now'
import { instant } from './Time'

export interface FreshProps {
  freshness: Freshness
  /** When it was seen, through which endpoint. */
  observedAt?: string | null | undefined
  through?: string | null | undefined
  /** Why it is not live, in one clause. */
  why?: string | null | undefined
}

/** Whether to dim it. */
export function isStale(row: { freshness: Freshness['freshness'] }): boolean {
  return row.freshness !== 'live'
}

export function Fresh({ freshness, observedAt, through, why }: FreshProps) {
  const status = useLiveStatus()
  const now = useNow()
  const seen = instant(freshness.freshness === 'stale' ? freshness.since : observedAt)
  const source = through ? ` through ${through}` : ''
  const when = seen === undefined ? '' : `, ${exact(seen)}`
  if (freshness.freshness === 'never_seen') {
    return (
      <Chip color="gray" label={`Nothing was ever seen${why ? `: ${why}` : ''}`}>
        never seen
      </Chip>
    )
  }
  if (freshness.freshness === 'stale') {
    return (
      <Chip color="yellow" label={`Last seen${source}${when}${why ? `. Not newer: ${why}` : ''}`}>
        {seen === undefined ? 'not live' : `seen ${ago(seen, now)}`}
      </Chip>
    )
  }
  // Without the live stream nobody knows that it is still so.
  if (status.state === 'cut') {
    return (
      <Chip color="yellow" label={`As of ${exact(status.since)}: ${status.why}`}>
        as of {clock(status.since)}
      </Chip>
    )
  }
  return (
    <Chip color="muster" label={`Seen ${seen === undefined ? 'now' : ago(seen, now)}${source}${when}`}>
      live
    </Chip>
  )
}

function Chip({ color, label, children }: { color: string; label: string; children: React.ReactNode }) {
  return (
    <Tooltip label={label}>
      <Badge color={color} variant="light" size="sm" tt="none" fw={500} tabIndex={0} className="figures">
        {children}
      </Badge>
    </Tooltip>
  )
}
