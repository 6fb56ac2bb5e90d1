/** The columns of the list of remotes. */
import { DASH, words } from '~/format/format'
import { Age, Go, Text, Unknown } from '~/table/cells'
import type { Column } from '~/table/types'
import { LinkState } from '~/ui/State'
import { outOf, versions } from './decide'
import classes from './remotes.module.css'
import type { Row } from './useRemotes'

export const COLUMNS: readonly Column<Row>[] = [
  { id: 'name', title: 'Name', width: 140, grow: 2, sort: 'name', always: true, card: 'title', cell: (row) => <Text of={row.name} /> },
  {
    id: 'link',
    title: 'Link',
    what: 'How the connection stands',
    width: 172,
    sort: 'link',
    card: 'side',
    cell: (row) => <LinkState state={row.link.state} />,
  },
  {
    id: 'cause',
    title: 'Cause',
    what: 'What is wrong with the link',
    width: 160,
    grow: 3,
    card: 'line',
    cell: (row) => <Cause row={row} />,
  },
  { id: 'since', title: 'Since', what: 'Since when the link is in this state', width: 96, cell: (row) => <Age at={row.link.since} /> },
  {
    id: 'nodes',
    title: 'Nodes',
    what: 'Online, of how many',
    width: 76,
    end: true,
    cell: (row) => <OutOf part={row.counts.nodes_online} all={row.counts.nodes} what="nodes online" up={row.link.up} />,
  },
  {
    id: 'guests',
    title: 'Guests',
    what: 'Running, of how many',
    width: 92,
    end: true,
    sort: 'guests',
    descending: true,
    card: 'line',
    cell: (row) => <OutOf part={row.counts.guests_running} all={row.counts.guests} what="guests running" up={row.link.up} />,
  },
  {
    id: 'version',
    title: 'Version',
    what: 'Of Proxmox VE, on its endpoints',
    width: 84,
    sort: 'version',
    cell: (row) => <Text of={versions(row.versions ?? {}).join(', ')} />,
  },
  { id: 'endpoint', title: 'Through', what: 'The endpoint in use', width: 140, grow: 1, cell: (row) => <Text of={row.link.in_use} /> },
  {
    id: 'success',
    title: 'Last success',
    what: 'When a request last succeeded',
    width: 120,
    sort: 'age',
    hidden: true,
    cell: (row) => <Age at={row.link.last_success} />,
  },
  {
    id: 'cluster',
    title: 'Cluster',
    width: 120,
    sort: 'cluster',
    hidden: true,
    cell: (row) =>
      row.cluster ? <Text of={row.cluster.value.name ?? 'stand-alone'} /> : <Unknown why="Its cluster status was not read yet" />,
  },
  {
    id: 'drift',
    title: 'Drift',
    what: 'Kinds of answers that departed from what is documented, and rows that could not be read',
    width: 80,
    end: true,
    hidden: true,
    cell: (row) => <Oddities row={row} />,
  },
  {
    id: 'requests',
    title: 'Requests a minute',
    width: 130,
    end: true,
    hidden: true,
    cell: (row) => <span className="figures">{row.traffic.requests_per_minute}</span>,
  },
]

function Cause({ row }: { row: Row }) {
  const { link } = row
  if (link.state === 'disconnected') return <span>{link.by ? `by ${link.by}` : DASH}</span>
  if (!link.cause) return row.run_by ? <span className="quiet">looked after by {row.run_by.process}</span> : null
  return (
    <bdi className="name" title={`${link.cause.sentence}. ${link.cause.remedy}`}>
      {link.cause.sentence || words(link.cause.code)}
    </bdi>
  )
}

interface OutOfProps {
  part: number | null | undefined
  all: number | null | undefined
  what: string
  /** While the link is down it is as last known. */
  up: boolean
}

function OutOf({ part, all, what, up }: OutOfProps) {
  if (part == null && all == null) return <Unknown why="Never listed" />
  const known = `${part ?? 'an unknown number'} of ${all ?? 'an unknown number'} ${what}${up ? '' : ', as last known'}`
  return (
    <span className={up ? 'figures' : `figures ${classes.before}`} title={known}>
      {outOf(part, all)}
      <span className={classes.card}> {what}</span>
    </span>
  )
}

function Oddities({ row }: { row: Row }) {
  const odd = row.counts.drift + row.counts.unreadable
  if (odd === 0) return <span className="figures">0</span>
  return (
    <Go to={`/remotes/${row.number}?tab=drift`}>
      <span className="figures">{odd}</span>
    </Go>
  )
}
