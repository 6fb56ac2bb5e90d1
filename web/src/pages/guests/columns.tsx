/** The columns of the list of guests. */
import type { Guest } from '~/api/types'
import { DASH, span } from '~/format/format'
import { Bar, Go, Seen, Since, Text, Unknown, Used } from '~/table/cells'
import type { Column } from '~/table/types'
import { GuestState } from '~/ui/State'
import { addressesOf } from './addresses'
import classes from './guests.module.css'

export const COLUMNS: readonly Column<Guest>[] = [
  { id: 'name', title: 'Name', width: 150, grow: 3, always: true, sort: 'name', card: 'title', cell: (row) => <Name row={row} /> },
  {
    id: 'state',
    title: 'State',
    what: 'What its state is now',
    width: 116,
    sort: 'status',
    clear: true,
    card: 'side',
    cell: (row) => (
      <>
        <GuestState word={row.word} />
        <Since of={row} at={row.observed_at} through={row.through} why={row.stale_why} />
      </>
    ),
  },
  { id: 'vmid', title: 'ID', width: 62, end: true, sort: 'vmid', card: 'line', cell: (row) => row.vmid },
  {
    id: 'kind',
    title: 'Type',
    what: 'Container or virtual machine',
    width: 56,
    sort: 'type',
    card: 'line',
    cell: (row) => (row.kind === 'ct' ? <span title="Container">CT</span> : <span title="Virtual machine">VM</span>),
  },
  {
    id: 'remote',
    title: 'Remote',
    width: 92,
    grow: 1,
    sort: 'remote',
    card: 'line',
    cell: (row) => (
      <Go to={`/remotes/${row.remote_id}`}>
        <Text of={row.remote} />
      </Go>
    ),
  },
  {
    id: 'node',
    title: 'Node',
    width: 88,
    grow: 1,
    sort: 'node',
    card: 'line',
    cell: (row) => (
      <Go to={`/nodes/${row.remote_id}/${encodeURIComponent(row.node)}`}>
        <Text of={row.node} />
      </Go>
    ),
  },
  {
    id: 'cpu',
    title: 'CPU',
    what: 'Use of the processors it has',
    width: 100,
    grow: 1,
    sort: 'cpu',
    descending: true,
    cell: (row) => <Bar share={row.cpu} title={row.cpus == null ? undefined : `of ${row.cpus} ${row.cpus === 1 ? 'processor' : 'processors'}`} />,
  },
  {
    id: 'memory',
    title: 'Memory',
    width: 100,
    grow: 1,
    sort: 'mem',
    descending: true,
    cell: (row) => <Used used={row.memory} of={row.memory_max} />,
  },
  {
    id: 'disk',
    title: 'Disk',
    what: 'Its root disk; of virtual machines only the size is known',
    width: 100,
    grow: 1,
    sort: 'disk',
    descending: true,
    cell: (row) => <Used used={row.disk} of={row.disk_max} />,
  },
  {
    id: 'uptime',
    title: 'Uptime',
    width: 92,
    end: true,
    sort: 'uptime',
    descending: true,
    cell: (row) => (row.uptime == null ? <Unknown /> : span(row.uptime)),
  },
  { id: 'tags', title: 'Tags', width: 130, grow: 1, sort: 'tag', cell: (row) => <Tags tags={row.tags} /> },
  {
    id: 'seen',
    title: 'Seen',
    what: 'How sure it is: live, or when it was last seen',
    width: 106,
    sort: 'age',
    clear: true,
    cell: (row) => <Seen of={row} at={row.observed_at} through={row.through} why={row.stale_why} />,
  },
  { id: 'addresses', title: 'Addresses', width: 150, grow: 1, hidden: true, sort: 'ip', cell: (row) => <Addresses row={row} /> },
  { id: 'pool', title: 'Pool', width: 110, hidden: true, sort: 'pool', cell: (row) => <Text of={row.pool} /> },
  { id: 'ha', title: 'HA', what: 'What the HA manager says', width: 96, hidden: true, sort: 'ha', cell: (row) => <Text of={row.ha} /> },
  { id: 'lock', title: 'Lock', what: 'What holds its lock', width: 96, hidden: true, sort: 'lock', cell: (row) => <Text of={row.lock} /> },
  {
    id: 'template',
    title: 'Template',
    width: 92,
    hidden: true,
    sort: 'template',
    cell: (row) => (row.template == null ? <Unknown /> : row.template ? 'yes' : 'no'),
  },
  {
    id: 'link',
    title: 'Link',
    what: 'The endpoint through which it was last seen',
    width: 150,
    hidden: true,
    sort: 'link',
    cell: (row) => (row.through == null ? <Unknown /> : <bdi className="mono">{row.through}</bdi>),
  },
]

function Name({ row }: { row: Guest }) {
  const name = row.name ?? undefined
  return (
    <>
      <bdi className="name" title={name && name.length > 22 ? name : undefined}>
        {name ?? <span className="quiet">{DASH} (no name)</span>}
      </bdi>
      {row.busy != null && (
        <span className={classes.busy} title="An operation on it has not ended" role="img" aria-label="busy" />
      )}
      {row.template === true && <span className={classes.mark}>template</span>}
      {row.lock != null && (
        <span className={classes.mark} title="What holds its lock">
          {row.lock}
        </span>
      )}
    </>
  )
}

function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return null
  return (
    <span title={tags.join(', ')}>
      {tags.map((tag, at) => (
        // By its place: another row's tag takes over the element.
        <bdi key={at} className={classes.tag}>
          {tag}
        </bdi>
      ))}
    </span>
  )
}

function Addresses({ row }: { row: Guest }) {
  const all = addressesOf(row)
  if (all === undefined) return <Unknown why="Not seen yet" />
  if (all.length === 0) return <Unknown why="It has none" />
  return (
    <bdi className="mono" title={all.join('\n')}>
      {all[0]}
      {all.length > 1 && <span className="quiet"> +{all.length - 1}</span>}
    </bdi>
  )
}
