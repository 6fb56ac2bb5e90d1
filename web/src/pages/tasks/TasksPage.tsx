/** What runs and has run on all remotes. */
import { Menu, Text } from '@mantine/core'
import { IconBox, IconListCheck, IconPlayerStop } from '@tabler/icons-react'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { Task } from '~/api/types'
import { useTasks } from '~/live/hooks'
import type { ChipsOf } from '~/query/Chips'
import { useMay } from '~/shell/session'
import { whyNotEnd } from '~/tasks/end'
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
      to={pathOf}
      menu={(task) => <TaskMenu task={task} />}
      none="No task has run since Muster began to look."
    />
  )
}

function pathOf(task: Task): string {
  return `/tasks/${task.remote_id}/${encodeURIComponent(task.upid)}`
}

function TaskMenu({ task }: { task: Task }) {
  const why = whyNotEnd(task, useMay('operator', task.remote_id))
  const navigate = useNavigate()
  const icon = <IconPlayerStop size={16} />
  return (
    <>
      <Menu.Label>
        <bdi className="name">{task.name}</bdi>
      </Menu.Label>
      <Menu.Item component={Link} to={pathOf(task)} leftSection={<IconListCheck size={16} />}>
        Open
      </Menu.Item>
      {task.vmid != null && (
        <Menu.Item component={Link} to={`/guests/${task.remote_id}/${task.vmid}`} leftSection={<IconBox size={16} />}>
          Guest <bdi className="name">{task.guest ?? task.vmid}</bdi>
        </Menu.Item>
      )}
      <Menu.Divider />
      {why === undefined ? (
        // What it costs is said, and asked, where its log can be seen.
        <Menu.Item leftSection={icon} onClick={() => void navigate({ to: '/tasks/$remote/$upid', params: { remote: String(task.remote_id), upid: task.upid }, search: { do: 'end' } })}>
          End task…
        </Menu.Item>
      ) : (
        <Menu.Item leftSection={icon} data-disabled aria-disabled closeMenuOnClick={false} maw={340}>
          End task
          <Text size="xs" className="quiet">
            {why}
          </Text>
        </Menu.Item>
      )}
    </>
  )
}
