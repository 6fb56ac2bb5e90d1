/** One task of Proxmox VE: how it stands, what it belongs to, its log as it is written, and how to end it. */
import { Alert, Button, Group, Modal, Paper, Skeleton, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlayerStop } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Task } from '~/api/types'
import { span } from '~/format/format'
import { useTasks } from '~/live/hooks'
import { LogView } from '~/log/LogView'
import { useMay } from '~/shell/session'
import { AnchorLink } from '~/ui/AnchorLink'
import { Blocked } from '~/ui/Blocked'
import { Empty } from '~/ui/Empty'
import { Facts } from '~/ui/Facts'
import { Id } from '~/ui/Id'
import { useNow } from '~/ui/now'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { TaskState } from '~/ui/State'
import { Ago, instant } from '~/ui/Time'

const route = getRouteApi('/inside/tasks/$remote/$upid')

export default function TaskPage() {
  const { remote, upid } = route.useParams()
  const asked = useQuery({
    queryKey: ['task', remote, upid],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/tasks/{remote}/{upid}', { params: { path: { remote, upid } }, signal })),
  })
  const told = useTasks()
  const task = (asked.data && told?.get(asked.data.id)) ?? asked.data
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
  return (
    <Page title={task.name} beside={<TaskState outcome={task.outcome} />} actions={<StopTask task={task} />}>
      <Stack gap="md">
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
        <Paper withBorder p="md">
          <TaskFacts task={task} />
        </Paper>
        <LogView remote={remote} upid={upid} file={`${task.remote}-${task.name.replaceAll(/[^\w.-]+/g, '-')}.log`} />
      </Stack>
    </Page>
  )
}

function TaskFacts({ task }: { task: Task }) {
  const now = useNow()
  const remote = String(task.remote_id)
  const [began, ended] = [instant(task.started), instant(task.ended)]
  const took = began === undefined ? undefined : ((ended ?? (task.outcome === 'running' ? now : undefined)) ?? Number.NaN) - began
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
        { name: task.outcome === 'running' ? 'Runs for' : 'Took', value: span(took === undefined ? undefined : took / 1000) },
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
  const [open, dialog] = useDisclosure(false)
  const stop = useOnce(
    (path: { remote: string; upid: string }, key) =>
      unwrap(api.DELETE('/api/v1/tasks/{remote}/{upid}', { params: { path, header: { 'Idempotency-Key': key } } })),
    dialog.close,
  )
  const why = !may
    ? 'This needs the role operator on this remote.'
    : task.outcome !== 'running'
      ? 'It has ended.'
      : stop.isSuccess
        ? 'It was asked to end.'
        : undefined
  return (
    <>
      <Blocked why={why}>
        <Button size="xs" variant="default" leftSection={<IconPlayerStop size={14} />} onClick={dialog.open}>
          End task
        </Button>
      </Blocked>
      <Modal opened={open} onClose={dialog.close} title={`End the task ${task.name}?`}>
        <Stack>
          <Text size="sm">
            Proxmox VE ends it on node <b className="name">{task.node}</b> of <b className="name">{task.remote}</b>. What it has begun stays as it is by then: half a
            backup or a locked guest may be left.
          </Text>
          {stop.error && <ProblemView error={stop.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={dialog.close}>
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
