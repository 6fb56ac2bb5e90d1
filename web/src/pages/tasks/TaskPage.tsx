/** One task of Proxmox VE: how it stands, what it belongs to, its log as it is written, and how to end it. */
import { Alert, Group, Modal, Paper, Skeleton, Stack, Text } from '@mantine/core'
import { IconPlayerStop } from '@tabler/icons-react'
import { getRouteApi } from '@tanstack/react-router'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Task } from '~/api/types'
import { span } from '~/format/format'
import { useTasks } from '~/live/hooks'
import { LogView } from '~/log/LogView'
import { useMay } from '~/shell/session'
import { whyNotEnd } from '~/tasks/end'
import { lastSeen, took } from '~/tasks/time'
import { AnchorLink } from '~/ui/AnchorLink'
import { Blocked } from '~/ui/Blocked'
import { Button } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { Facts } from '~/ui/Facts'
import { Id } from '~/ui/Id'
import { LinkNotice } from '~/ui/LinkNotice'
import { useNow } from '~/ui/now'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { type Seen, TaskState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { useLinkOf } from '../remotes/useLinkOf'
import { olderTask, useTold } from '../useTold'

const route = getRouteApi('/inside/tasks/$remote/$upid')

export default function TaskPage() {
  const { remote, upid } = route.useParams()
  const told = useTasks()
  const asked = useTold<Task>({
    key: ['task', remote, upid],
    ask: (signal) => unwrap(api.GET('/api/v1/tasks/{remote}/{upid}', { params: { path: { remote, upid } }, signal })),
    told: (known) => known && told?.get(known.id),
    older: olderTask,
    open: (known) => known.outcome === 'running' || known.outcome === 'unknown',
  })
  const task = asked.data
  const link = useLinkOf(task?.remote_id)
  if (asked.isPending) {
    return (
      <Page title="Task">
        <Skeleton height={90} />
      </Page>
    )
  }
  if (!task) {
    const gone = asked.error instanceof Refusal && asked.error.status === 404
    return (
      <Page title="Task">
        {gone ? (
          <Empty title="No such task" action={<AnchorLink to="/tasks">All tasks</AnchorLink>}>
            It is older than what Muster keeps, its remote was removed, or you may not see it.
          </Empty>
        ) : (
          <ProblemView error={asked.error} again={() => void asked.refetch()} />
        )}
      </Page>
    )
  }
  const seen = lastSeen(task.outcome === 'running', link)
  return (
    <Page title={task.name} beside={<TaskState outcome={task.outcome} seen={seen} />} actions={<StopTask task={task} />}>
      <Stack gap="md">
        {link && (seen !== undefined || task.outcome === 'unknown') && <LinkNotice link={link} remote={task.remote} id={task.remote_id} />}
        {asked.error && <ProblemView error={asked.error} title="What is shown could not be read anew" again={() => void asked.refetch()} />}
        {task.outcome === 'failed' && (
          <Alert color="red" variant="light" title="It failed">
            <span className="name">{task.text}</span>
          </Alert>
        )}
        {task.outcome === 'unknown' && (
          <Alert color="gray" variant="light" title="Nobody knows how it ended">
            Its node does not tell. What it was to change shows whether it did.
          </Alert>
        )}
        <Paper withBorder p="md" className={seen && 'stale'}>
          <TaskFacts task={task} seen={seen} />
        </Paper>
        <LogView remote={remote} upid={upid} unreached={seen !== undefined} file={`${task.remote}-${task.name.replaceAll(/[^\w.-]+/g, '-')}.log`} />
      </Stack>
    </Page>
  )
}

function TaskFacts({ task, seen }: { task: Task; seen: Seen | undefined }) {
  const now = useNow()
  const remote = String(task.remote_id)
  const runs = task.outcome === 'running'
  const for_ = span(took(task, seen ? seen.at : now))
  return (
    <Facts
      facts={[
        { name: 'Remote', value: <AnchorLink to="/remotes/$remote" params={{ remote }} className="name">{task.remote}</AnchorLink> },
        { name: 'Node', value: <AnchorLink to="/nodes/$remote/$node" params={{ remote, node: task.node }}>{task.node}</AnchorLink> },
        task.vmid != null && {
          name: 'Guest',
          value: (
            <AnchorLink to="/guests/$remote/$vmid" params={{ remote, vmid: String(task.vmid) }} className="name">
              {task.guest ?? task.vmid}
            </AnchorLink>
          ),
        },
        { name: 'Begun by', value: <span className="name">{task.user}</span> },
        { name: 'Began', value: <Ago at={task.started} /> },
        { name: seen ? 'Had run for' : runs ? 'Runs for' : 'Took', value: for_ },
        task.operation != null && {
          name: 'Asked for by',
          value: <AnchorLink to="/operations/$id" params={{ id: task.operation }}>an operation of Muster</AnchorLink>,
        },
        { name: 'UPID', value: <Id text={task.upid} what="UPID" /> },
      ]}
    />
  )
}

/** Ends a task, after a word of confirmation. That it has ended is said by the task itself. */
function StopTask({ task }: { task: Task }) {
  const may = useMay('operator', task.remote_id)
  const navigate = route.useNavigate()
  // Whether it is open stands in the address: the list of tasks opens it too.
  const barred = whyNotEnd(task, may)
  const open = route.useSearch().do === 'end' && barred === undefined
  const ask = (to: 'end' | undefined) => void navigate({ search: { do: to }, replace: true })
  const close = () => ask(undefined)
  const stop = useOnce(
    (path: { remote: string; upid: string }, key) =>
      unwrap(api.DELETE('/api/v1/tasks/{remote}/{upid}', { params: { path, header: { 'Idempotency-Key': key } } })),
    close,
    { deed: 'end-task', things: [task.id], said: `the task ${task.name} was asked to end` },
  )
  const why = barred ?? (stop.isSuccess ? 'It was asked to end.' : undefined)
  return (
    <>
      <Blocked why={why}>
        <Button size="xs" variant="default" leftSection={<IconPlayerStop size={14} />} onClick={() => ask('end')}>
          End task
        </Button>
      </Blocked>
      <Modal opened={open} onClose={close} title={`End the task ${task.name}?`}>
        <Stack>
          <Text size="sm">
            Proxmox VE ends it on node <b className="name">{task.node}</b> of <b className="name">{task.remote}</b>. What it has begun stays as it is by then: half a
            backup or a locked guest may be left.
          </Text>
          {stop.error && <ProblemView error={stop.error} title="Not done" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Let it run
            </Button>
            <Button color="red" loading={stop.isPending} onClick={() => stop.mutate({ remote: String(task.remote_id), upid: task.upid })}>
              End task
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
