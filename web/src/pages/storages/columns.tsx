/** The columns of the list of storages. */
import type { Storage } from '~/api/types'
import { bytes, words } from '~/format/format'
import { Go, Seen, Text, Unknown, Used } from '~/table/cells'
import type { Column } from '~/table/types'
import { State, type Tone } from '~/ui/State'

const TONE: Record<string, Tone> = { available: 'good', unknown: 'unknown' }

export const COLUMNS: readonly Column<Storage>[] = [
  { id: 'name', title: 'Name', width: 130, grow: 2, always: true, sort: 'name', card: 'title', cell: (row) => <Text of={row.name} /> },
  {
    id: 'state',
    title: 'State',
    what: 'What its state is now',
    width: 106,
    sort: 'status',
    clear: true,
    card: 'side',
    cell: (row) => <StorageState storage={row} />,
  },
  {
    id: 'remote',
    title: 'Remote',
    width: 96,
    grow: 1,
    sort: 'remote',
    card: 'line',
    cell: (row) => (
      <Go to={`/remotes/${row.remote_id}`}>
        <Text of={row.remote} />
      </Go>
    ),
  },
  { id: 'node', title: 'Node', what: 'The nodes that see it', width: 100, grow: 1, sort: 'node', card: 'line', cell: (row) => <Nodes row={row} /> },
  { id: 'type', title: 'Type', what: 'Its plugin', width: 84, sort: 'type', card: 'line', cell: (row) => <Text of={row.plugin} /> },
  { id: 'used', title: 'Used', width: 124, grow: 1, sort: 'disk', descending: true, cell: (row) => <Used used={row.used} of={row.size} /> },
  { id: 'size', title: 'Size', width: 90, end: true, sort: 'size', descending: true, cell: (row) => (row.size == null ? <Unknown /> : bytes(row.size)) },
  {
    id: 'free',
    title: 'Free',
    width: 92,
    end: true,
    hidden: true,
    cell: (row) => (row.size == null || row.used == null ? <Unknown /> : bytes(row.size - row.used)),
  },
  {
    id: 'shared',
    title: 'Shared',
    what: 'Whether all nodes see the same',
    width: 74,
    sort: 'shared',
    cell: (row) => (row.shared == null ? <Unknown /> : row.shared ? 'yes' : 'no'),
  },
  {
    id: 'content',
    title: 'Content',
    what: 'What may be kept there',
    width: 124,
    grow: 1,
    sort: 'content',
    cell: (row) => <span title={row.content.join(', ')}>{row.content.join(', ')}</span>,
  },
  {
    id: 'seen',
    title: 'Seen',
    what: 'How sure it is: live, or when it was last seen',
    width: 106,
    sort: 'age',
    clear: true,
    cell: (row) => <Seen of={row} at={row.observed_at} why={row.stale_why} />,
  },
]

/** The word for its state now: of one that is not live nobody knows it. */
export function stateNow(row: Storage): string {
  return row.freshness === 'live' ? (row.status ?? 'unknown') : 'unknown'
}

/** Its state now. */
export function StorageState({ storage }: { storage: Storage }) {
  const state = stateNow(storage)
  return <State tone={TONE[state] ?? 'warn'}>{words(state)}</State>
}

function Nodes({ row }: { row: Storage }) {
  const only = row.nodes.length === 1 ? row.nodes[0] : undefined
  if (only === undefined) return <span title={row.nodes.join(', ')}>{row.nodes.length} nodes</span>
  return (
    <Go to={`/nodes/${row.remote_id}/${encodeURIComponent(only)}`}>
      <Text of={only} />
    </Go>
  )
}
