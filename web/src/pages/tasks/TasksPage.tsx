/** What runs and has run on all remotes. */
import { useSearch } from '@tanstack/react-router'
import { useTasks } from '~/live/hooks'
import type { ChipsOf } from '~/query/Chips'
import { RecentList } from '../RecentList'
import { olderTask } from '../useTold'
import { TASK_COLUMNS } from './columns'

const CHIPS: readonly ChipsOf[] = [{ key: 'status', from: 'state', usual: ['running', 'failed', 'warnings', 'unknown', 'ok'] }]

export default function TasksPage() {
  const search = useSearch({ from: '/inside/tasks' })
  const told = useTasks()
  return (
    <RecentList
      list="tasks"
      title="Tasks"
      one="task"
      search={search}
      told={told}
      older={olderTask}
      open={(task) => task.outcome === 'running'}
      columns={TASK_COLUMNS}
      chips={CHIPS}
      nameOf={(task) => task.name}
      to={(task) => `/tasks/${task.remote_id}/${encodeURIComponent(task.upid)}`}
      none="No task has run since Muster began to look."
    />
  )
}
