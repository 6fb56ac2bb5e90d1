/** What was asked of Muster, and what became of it. */
import { Menu } from '@mantine/core'
import { IconBox, IconPlayerPlay } from '@tabler/icons-react'
import { Link, useSearch } from '@tanstack/react-router'
import { CancelItem } from '~/actions/CancelOperation'
import { power } from '~/actions/table'
import type { Operation } from '~/api/types'
import { useOperations } from '~/live/hooks'
import type { ChipsOf } from '~/query/Chips'
import { RecentList } from '../RecentList'
import { olderOperation } from '../useTold'
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
      told={told}
      older={olderOperation}
      open={(operation) => !operation.final}
      columns={OPERATION_COLUMNS}
      chips={CHIPS}
      nameOf={nameOf}
      to={pathOf}
      menu={menuOf}
      none="Nothing was asked of Muster yet. Start, stop and whatever else is done to guests stands here with its author and how it ended."
    />
  )
}

function nameOf(operation: Operation): string {
  return `${power(operation.action).label} ${operation.name ?? operation.vmid}`
}

function pathOf(operation: Operation): string {
  return `/operations/${operation.id}`
}

function menuOf(operation: Operation) {
  return (
    <>
      <Menu.Label>
        <bdi className="name">{nameOf(operation)}</bdi>
      </Menu.Label>
      <Menu.Item component={Link} to={pathOf(operation)} leftSection={<IconPlayerPlay size={16} />}>
        Open
      </Menu.Item>
      <Menu.Item component={Link} to={`/guests/${operation.remote_id}/${operation.vmid}`} leftSection={<IconBox size={16} />}>
        Guest <bdi className="name">{operation.name ?? operation.vmid}</bdi>
      </Menu.Item>
      <Menu.Divider />
      <CancelItem operation={operation} />
    </>
  )
}
