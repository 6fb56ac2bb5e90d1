/** Light contents of cells: plain elements with a `title`, for there are hundreds of them on screen. */
import type { Freshness } from '~/api/types'
import { use } from 'react'
import { ago, bytes, clock, DASH, exact, percent } from '~/format/format'
import { useNow } from '~/ui/now'
import { instant } from '~/ui/Time'
import { shareOf, usageColor } from '~/ui/Usage'
import { AsOf } from './asOf'
import classes from './cells.module.css'
import { linkTo } from './go'

/** What is not known. */
export function Unknown({ why }: { why?: string }) {
  return (
    <span className="quiet" title={why}>
      {DASH}
    </span>
  )
}

/** A text from outside. */
export function Text({ of }: { of: string | null | undefined }) {
  if (of == null || of === '') return <Unknown />
  return (
    <bdi title={of.length > 24 ? of : undefined} className="name">
      {of}
    </bdi>
  )
}

/** The room of a figure beside its bar. */
const FIGURE = '4em'

/** A share of one, as a bar with its figure. */
export function Bar({ share, title }: { share: number | null | undefined; title?: string }) {
  if (share == null) return <Unknown />
  const part = Math.min(1, Math.max(0, share))
  return (
    <span className={classes.bar} data-color={usageColor(share)} title={title} style={{ backgroundSize: `calc((100% - ${FIGURE}) * ${part.toFixed(3)}) 6px, calc(100% - ${FIGURE}) 6px` }}>
      {percent(share)}
    </span>
  )
}

/** Bytes used, of bytes. */
export function Used({ used, of }: { used: number | null | undefined; of: number | null | undefined }) {
  const share = shareOf(used, of)
  if (share === undefined) {
    if (used == null && of == null) return <Unknown />
    return <span className="quiet figures">{used == null ? `? of ${bytes(of)}` : bytes(used)}</span>
  }
  return <Bar share={share} title={`${bytes(used)} of ${bytes(of)}`} />
}

/** How long ago, on one clock for all, in steps that do not draw the screen anew each second. */
export function Age({ at, title }: { at: string | number | null | undefined; title?: string }) {
  const now = useNow(5000)
  const ms = instant(at)
  if (ms === undefined) return <Unknown />
  return (
    <time dateTime={new Date(ms).toISOString()} title={title ?? exact(ms)} className="figures">
      {ago(ms, Math.max(now, ms))}
    </time>
  )
}

/** A link to another thing than the row is about. */
export function Go({ to, children }: { to: string; children: React.ReactNode }) {
  return (
    <a href={linkTo(to)} data-own tabIndex={-1} className={classes.go}>
      {children}
    </a>
  )
}

export interface SeenProps {
  of: { freshness: Freshness['freshness']; since?: string | null }
  at: string | number | null | undefined
  through?: string | null | undefined
  why?: string | null | undefined
}

/** Under the state of what is not seen now: when that was. Not said twice where the column that says it is in sight. */
export function Since(props: SeenProps) {
  const asOf = use(AsOf)
  if (props.of.freshness === 'live' && asOf === undefined) return null
  return (
    <span className={classes.since}>
      <Seen {...props} />
    </span>
  )
}

/** How sure it is: live, or when it was last seen. */
export function Seen({ of, at, through, why }: SeenProps) {
  const asOf = use(AsOf)
  if (of.freshness === 'never_seen') return <span title="Nothing was ever seen of it">never</span>
  if (of.freshness === 'live' && asOf !== undefined) {
    return (
      <span className={classes.old} title={`It was so at ${exact(asOf)}. What changed since is not known: the live stream to Muster is cut`}>
        as of {clock(asOf)}
      </span>
    )
  }
  if (of.freshness === 'live') {
    return (
      <span className={classes.live} title={through == null ? undefined : `Through ${through}`}>
        live
      </span>
    )
  }
  const seen = instant(at ?? of.since)
  const title = [
    seen !== undefined && `Last seen ${exact(seen)}${through == null ? '' : ` through ${through}`}`,
    why && `Not newer: ${why}`,
  ]
  return (
    <span className={classes.old}>
      <Age at={seen} title={title.filter(Boolean).join('. ')} />
    </span>
  )
}
