/** All nodes of all remotes. */
import { useSearch } from '@tanstack/react-router'
import type { Node } from '~/api/types'
import type { ChipsOf } from '~/query/Chips'
import { ListPage } from '~/query/ListPage'
import { useQuestion } from '~/query/question'
import { useLiveRows } from '~/table/sources'
import { COLUMNS } from './columns'

const CHIPS: readonly ChipsOf[] = [{ key: 'status', from: 'state', usual: ['online', 'offline'] }]

export default function NodesPage() {
  const question = useQuestion('nodes', useSearch({ from: '/inside/nodes' }))
  const source = useLiveRows('nodes', question.q, question.sort)
  return (
    <ListPage
      list="nodes"
      title="Nodes"
      one="node"
      question={question}
      source={source}
      columns={COLUMNS}
      chips={CHIPS}
      nameOf={(row: Node) => row.name}
      to={(row) => `/nodes/${row.remote_id}/${encodeURIComponent(row.name)}`}
      stale={(row) => row.freshness !== 'live'}
    />
  )
}
