/** The columns of a list of tasks. */
import type { Task } from '~/api/types'
import { span } from '~/format/format'
import { Age, Text, Unknown } from '~/table/cells'
import type { Column } from '~/table/types'
import { Standing } from '~/tasks/Standing'
import { took } from '~/tasks/time'
import { TaskState } from '~/ui/State'

export const TASK_COLUMNS: readonly Column<Task>[] = [
  {
    id: 'name',
    title: 'Task',
    what: 'Type and object, as Proxmox VE names them',
    width: 140,
    grow: 2,
    always: true,
    card: 'title',
    sort: 'name',
    cell: (task) => <Text of={task.name} />,
  },
  {
    id: 'state',
    title: 'State',
    width: 106,
    clear: true,
    card: 'side',
    cell: (task) => (
      <Standing remote={task.remote_id} open={task.outcome === 'running'} state={task.outcome}>
        <TaskState outcome={task.outcome} />
      </Standing>
    ),
  },
  { id: 'guest', title: 'Guest', width: 106, grow: 2, card: 'line', cell: (task) => <Text of={task.guest ?? (task.vmid == null ? null : String(task.vmid))} /> },
  { id: 'remote', title: 'Remote', width: 90, grow: 1, card: 'line', sort: 'remote', cell: (task) => <Text of={task.remote} /> },
  { id: 'node', title: 'Node', width: 90, grow: 1, card: 'line', sort: 'node', cell: (task) => <Text of={task.node} /> },
  { id: 'user', title: 'Begun by', width: 136, grow: 1, sort: 'user', cell: (task) => <Text of={task.user} /> },
  { id: 'started', title: 'Began', width: 100, end: true, card: 'line', sort: 'age', cell: (task) => <Age at={task.started} /> },
  { id: 'took', title: 'Took', width: 84, end: true, cell: (task) => <Took task={task} /> },
  {
    id: 'words',
    title: 'What it said',
    what: 'With what words it failed',
    width: 146,
    grow: 3,
    cell: (task) => (task.outcome === 'failed' ? <Text of={task.text} /> : null),
  },
]

function Took({ task }: { task: Task }) {
  const seconds = took(task)
  return seconds === undefined ? <Unknown why={task.outcome === 'running' ? 'It runs' : 'Nobody knows'} /> : <span className="figures">{span(seconds)}</span>
}
