/** How a task or an operation of a list stands, in its cell: one that has not ended is known only as long as its remote is reached. */
import { createContext, use } from 'react'
import type { LinkRow } from '~/api/types'
import { words } from '~/format/format'
import { AsOf } from '~/table/asOf'
import { Since } from '~/table/cells'
import { State } from '~/ui/State'
import { lastSeen } from './time'

/** The links to all remotes, for the cells of a list; `undefined`: they were not told. */
export const Links = createContext<ReadonlyMap<number, LinkRow> | undefined>(undefined)

export interface StandingProps {
  remote: number
  /** It has not ended. */
  open: boolean
  state: string
  /** How it stands, where that is known. */
  children: React.ReactNode
}

export function Standing({ remote, open, state, children }: StandingProps) {
  const link = use(Links)?.get(remote)?.link
  const asOf = use(AsOf)
  const seen = lastSeen(open, link)
  if (seen === undefined && (!open || asOf === undefined)) return children
  return (
    <>
      <State tone="unknown">{words(state)}</State>
      {seen ? <Since of={{ freshness: 'stale' }} at={seen.at} why="its remote is not reached" /> : <Since of={{ freshness: 'live' }} at={undefined} />}
    </>
  )
}
