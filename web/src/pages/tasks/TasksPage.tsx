/** What runs and has run on all remotes. */
import { getRouteApi } from '@tanstack/react-router'
import { api, unwrap } from '~/api/client'
import { useTasks } from '~/live/hooks'
import { Page } from '~/ui/Page'
import { RecentList } from '../RecentList'
import { TASK_COLUMNS } from './columns'

const route = getRouteApi('/inside/tasks')

export default function TasksPage() {
  const { q = '', sort = '' } = route.useSearch()
  const navigate = route.useNavigate()
  const told = useTasks()
  return (
    <Page title="Tasks" full>
      <RecentList
        list="tasks"
        label="Tasks"
        q={q}
        sort={sort}
        ask={(query, signal) => unwrap(api.GET('/api/v1/tasks', { params: { query }, signal }))}
        told={told}
        columns={TASK_COLUMNS}
        nameOf={(task) => task.name}
        to={(task) => `/tasks/${task.remote_id}/${encodeURIComponent(task.upid)}`}
        states={['running', 'failed', 'warnings', 'unknown', 'ok']}
        none="No task has run since Muster began to look."
        choose={(change) => void navigate({ search: (had) => ({ ...had, ...change }), replace: true })}
      />
    </Page>
  )
}
