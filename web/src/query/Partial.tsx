/** How complete a list can be: said above it while some remotes are not reached, were never listed, or sent what cannot be read. */
import { IconAlertTriangle } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import classes from './ListBar.module.css'

export type RemoteCounts = Schemas['RemoteCounts']

export interface Shortfall {
  /** In few words: it stands in a line with other things, so that nothing below moves when it comes and goes. */
  short: string
  sentence: string
  /** The query of the list of remotes that shows them. */
  q: string
}

/** What is wanting. */
export function shortfalls(of: RemoteCounts | undefined, what: string): Shortfall[] {
  if (!of) return []
  const found: Shortfall[] = []
  const down = of.total - of.up
  if (down > 0) {
    const waiting = of.needs_person === 0 ? '' : `; ${of.needs_person === down ? 'waiting' : `${of.needs_person} of them waiting`} for a person`
    found.push({
      short: `${many(down, 'remote')} not connected`,
      sentence: `${many(down, 'remote is', 'remotes are')} not connected${waiting}. Their ${what} are shown as last seen`,
      q: 'link:down',
    })
  }
  if (of.never_listed > 0) {
    found.push({
      short: `${many(of.never_listed, 'remote')} never listed`,
      sentence: `${many(of.never_listed, 'remote was', 'remotes were')} never listed: what ${what} there are is not known, and not in this list`,
      q: 'link:down',
    })
  }
  if (of.unreadable > 0) {
    found.push({
      short: `${many(of.unreadable, 'row')} unreadable`,
      sentence: `${many(of.unreadable, 'row')} that remotes sent could not be read, and may be missing here`,
      q: 'drift:yes',
    })
  }
  return found
}

export function Partial({ remotes, what }: { remotes: RemoteCounts | undefined; what: string }) {
  const found = shortfalls(remotes, what)
  return (
    <div role="status" className={classes.partial}>
      {found.map(({ short, sentence, q }) => (
        <Link key={q + short} to="/remotes" search={{ q }} className={classes.short} title={sentence} aria-label={sentence}>
          <IconAlertTriangle size={14} aria-hidden />
          {short}
        </Link>
      ))}
    </div>
  )
}
