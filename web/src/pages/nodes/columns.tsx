/** The columns of the list of nodes. */
import type { Node } from '~/api/types'
import { span } from '~/format/format'
import { Age, Bar, Go, Seen, Since, Text, Unknown, Used } from '~/table/cells'
import type { Column } from '~/table/types'
import { NodeState } from '~/ui/State'

/** `pve-manager/9.2.3/3d1e0a8c` → `9.2.3`. */
function short(version: string): string {
  return version.split('/')[1] ?? version
}

export const COLUMNS: readonly Column<Node>[] = [
  { id: 'name', title: 'Name', width: 120, grow: 2, always: true, sort: 'name', card: 'title', cell: (row) => <Text of={row.name} /> },
  {
    id: 'state',
    title: 'State',
    what: 'What its state is now',
    width: 100,
    sort: 'status',
    clear: true,
    card: 'side',
    // What was seen is not what is: of a node that is not live nobody knows how it is now.
    cell: (row) => (
      <>
        <NodeState state={row.word} />
        <Since of={row} at={row.observed_at} through={row.through} why={row.stale_why} />
      </>
    ),
  },
  {
    id: 'remote',
    title: 'Remote',
    width: 90,
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
    id: 'guests',
    title: 'Guests',
    what: 'Those that run now for sure, of all on it',
    width: 74,
    end: true,
    card: 'line',
    cell: (row) => (row.guests === undefined ? <Unknown /> : <Guests row={row} />),
  },
  {
    id: 'cpu',
    title: 'CPU',
    width: 96,
    grow: 1,
    sort: 'cpu',
    descending: true,
    cell: (row) => <Bar share={row.cpu} title={row.cpus == null ? undefined : `of ${row.cpus} processors`} />,
  },
  { id: 'memory', title: 'Memory', width: 96, grow: 1, sort: 'mem', descending: true, cell: (row) => <Used used={row.memory} of={row.memory_max} /> },
  {
    id: 'disk',
    title: 'Disk',
    what: 'Its root disk',
    width: 96,
    grow: 1,
    sort: 'disk',
    descending: true,
    cell: (row) => <Used used={row.disk} of={row.disk_max} />,
  },
  {
    id: 'load',
    title: 'Load',
    what: 'Load averages over 1, 5 and 15 min',
    width: 140,
    end: true,
    cell: (row) => (row.load.length === 0 ? <Unknown /> : row.load.join('  ')),
  },
  {
    id: 'uptime',
    title: 'Uptime',
    width: 84,
    end: true,
    sort: 'uptime',
    descending: true,
    cell: (row) => (row.uptime == null ? <Unknown /> : span(row.uptime)),
  },
  {
    id: 'version',
    title: 'Version',
    what: 'Version of Proxmox VE',
    width: 72,
    sort: 'version',
    card: 'line',
    cell: (row) => (row.version == null ? <Unknown /> : <bdi title={row.version}>{short(row.version)}</bdi>),
  },
  {
    id: 'seen',
    title: 'Seen',
    what: 'How sure it is: live, or when it was last seen',
    width: 98,
    sort: 'age',
    clear: true,
    cell: (row) => <Seen of={row} at={row.observed_at} through={row.through} why={row.stale_why} />,
  },
  {
    id: 'certificate',
    title: 'Certificate ends',
    width: 130,
    hidden: true,
    cell: (row) => <Age at={row.certificate_ends} />,
  },
]

function Guests({ row }: { row: Node }) {
  const running = row.guests_running ?? undefined
  return (
    <Go to={`/guests?q=${encodeURIComponent(`remote:${row.remote_id} node:${row.name}`)}`}>
      <span title={running === undefined ? 'How many run is not known' : `${running} running of ${row.guests}`}>
        {running ?? '?'} / {row.guests}
      </span>
    </Go>
  )
}
