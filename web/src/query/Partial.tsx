/** How complete a list can be: said above it while some remotes are not reached, were never listed, or sent what cannot be read. */
import { Anchor, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import classes from './ListBar.module.css'

export type RemoteCounts = Schemas['RemoteCounts']

export interface Shortfall {
  sentence: string
  /** The query of the list of remotes that shows them. */
  q: string
}

/** What is wanting, in sentences. */
export function shortfalls(of: RemoteCounts | undefined, what: string): Shortfall[] {
  if (!of) return []
  const found: Shortfall[] = []
  const listed = of.total - of.never_listed
  const down = of.total - of.up
  if (of.never_listed > 0) {
    found.push({
      sentence: `${many(of.never_listed, 'remote was', 'remotes were')} never listed: ${what} there may be on ${of.never_listed === 1 ? 'it are' : 'them are'} not shown`,
      q: 'link:down',
    })
  }
  if (down > 0 && listed > 0) {
    const waiting = of.needs_person > 0 ? `, ${of.needs_person === down ? 'waiting' : `${of.needs_person} of them waiting`} for a person` : ''
    found.push({ sentence: `${many(down, 'remote is', 'remotes are')} not connected${waiting}: shown as last seen`, q: 'link:down' })
  }
  if (of.unreadable > 0) {
    found.push({ sentence: `${many(of.unreadable, 'row', 'rows')} sent by remotes could not be read`, q: 'drift:yes' })
  }
  return found
}

export function Partial({ remotes, what }: { remotes: RemoteCounts | undefined; what: string }) {
  const found = shortfalls(remotes, what)
  if (found.length === 0) return null
  return (
    <div role="status" className={classes.partial}>
      <IconAlertTriangle size={16} className={classes.sign} aria-hidden />
      <Text size="sm" component="div">
        {found.map(({ sentence, q }, index) => (
          <span key={sentence}>
            {index > 0 && '. '}
            <Anchor component={Link} to={`/remotes?q=${encodeURIComponent(q)}`} inherit c="inherit" underline="always">
              {sentence}
            </Anchor>
          </span>
        ))}
        .
      </Text>
    </div>
  )
}
