/** What was asked of Muster, and what became of it. */
import { useSearch } from '@tanstack/react-router'
import { power } from '~/actions/table'
import { api, unwrap } from '~/api/client'
import { useOperations } from '~/live/hooks'
import type { ChipsOf } from '~/query/Chips'
import { RecentList } from '../RecentList'
import { OPERATION_COLUMNS } from './columns'

const CHIPS: readonly ChipsOf[] = [{ key: 'status', from: 'state', usual: ['running', 'outcome_unknown', 'failed', 'not_sent', 'succeeded'] }]

export default function OperationsPage() {
  const search = useSearch({ from: '/inside/operations' })
  const told = useOperations()
  return (
    <RecentList
      list="operations"
      title="Operations"
      one="operation"
      search={search}
      ask={(query, signal) => unwrap(api.GET('/api/v1/operations', { params: { query }, signal }))}
      told={told}
      columns={OPERATION_COLUMNS}
      chips={CHIPS}
      nameOf={(operation) => `${power(operation.action).label} ${operation.name ?? operation.vmid}`}
      to={(operation) => `/operations/${operation.id}`}
      none="Nothing was asked of Muster yet. Start, stop and whatever else is done to guests stands here with its author and how it ended."
    />
  )
}
