/** All nodes of all remotes. */
import { useSearch } from '@tanstack/react-router'
import type { Node } from '~/api/types'
import type { ChipsOf } from '~/query/Chips'
import { ListPage } from '~/query/ListPage'
import { COLUMNS } from './columns'

const CHIPS: readonly ChipsOf[] = [{ key: 'status', from: 'state', usual: ['online', 'offline'] }]

export default function NodesPage() {
  const search = useSearch({ from: '/inside/nodes' })
  return (
    <ListPage
      list="nodes"
      title="Nodes"
      one="node"
      search={search}
      columns={COLUMNS}
      chips={CHIPS}
      nameOf={(row: Node) => row.name}
      to={(row) => `/nodes/${row.remote_id}/${encodeURIComponent(row.name)}`}
    />
  )
}
