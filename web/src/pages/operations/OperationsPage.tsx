/** What was asked of Muster, and what became of it. */
import { getRouteApi } from '@tanstack/react-router'
import { power } from '~/actions/table'
import { api, unwrap } from '~/api/client'
import { useOperations } from '~/live/hooks'
import { Page } from '~/ui/Page'
import { RecentList } from '../RecentList'
import { OPERATION_COLUMNS } from './columns'

const route = getRouteApi('/inside/operations')

export default function OperationsPage() {
  const { q = '', sort = '' } = route.useSearch()
  const navigate = route.useNavigate()
  const told = useOperations()
  return (
    <Page title="Operations" full>
      <RecentList
        list="operations"
        label="Operations"
        q={q}
        sort={sort}
        ask={(query, signal) => unwrap(api.GET('/api/v1/operations', { params: { query }, signal }))}
        told={told}
        columns={OPERATION_COLUMNS}
        nameOf={(operation) => `${power(operation.action).label} ${operation.name ?? operation.vmid}`}
        to={(operation) => `/operations/${operation.id}`}
        states={['open', 'outcome_unknown', 'failed', 'not_sent', 'succeeded']}
        none="Nothing was asked of Muster yet. Start, stop and whatever else is done to guests stands here with its author and how it ended."
        choose={(change) => void navigate({ search: (had) => ({ ...had, ...change }), replace: true })}
      />
    </Page>
  )
}
