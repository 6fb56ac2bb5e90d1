/** The columns of a list of operations. */
import { power } from '~/actions/table'
import type { Operation } from '~/api/types'
import { Age, Text } from '~/table/cells'
import type { Column } from '~/table/types'
import { Standing } from '~/tasks/Standing'
import { OperationState } from '~/ui/State'

export const OPERATION_COLUMNS: readonly Column<Operation>[] = [
  {
    id: 'action',
    title: 'Operation',
    width: 110,
    grow: 1,
    always: true,
    card: 'title',
    cell: (operation) => <span>{power(operation.action).label}</span>,
  },
  { id: 'guest', title: 'Guest', width: 130, grow: 2, card: 'line', sort: 'name', cell: (operation) => <Text of={operation.name ?? String(operation.vmid)} /> },
  {
    id: 'state',
    title: 'State',
    width: 190,
    clear: true,
    card: 'side',
    cell: (operation) => (
      <Standing remote={operation.remote_id} open={!operation.final} state={operation.state}>
        <OperationState state={operation.state} />
      </Standing>
    ),
  },
  { id: 'remote', title: 'Remote', width: 100, grow: 1, card: 'line', sort: 'remote', cell: (operation) => <Text of={operation.remote} /> },
  { id: 'node', title: 'Node', width: 100, grow: 1, sort: 'node', hidden: true, cell: (operation) => <Text of={operation.node} /> },
  { id: 'author', title: 'Asked for by', width: 130, grow: 1, sort: 'user', cell: (operation) => <Text of={operation.author.name} /> },
  { id: 'requested', title: 'Asked for', width: 110, end: true, card: 'line', sort: 'age', cell: (operation) => <Age at={operation.requested} /> },
  { id: 'sentence', title: 'How it stands', width: 200, grow: 4, cell: (operation) => <Text of={operation.sentence} /> },
]
