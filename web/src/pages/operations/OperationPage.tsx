/** One operation: what was asked for, by whom, what became of it, and what a person has to decide. */
import { Alert, Code, Group, Modal, Paper, Skeleton, Stack, Text, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { takenBack } from '~/actions/cancel'
import { CancelButton } from '~/actions/CancelOperation'
import { ShownAs } from '~/actions/ShowAs'
import { power } from '~/actions/table'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Operation } from '~/api/types'
import { clock, span } from '~/format/format'
import { useOperations } from '~/live/hooks'
import { LogView } from '~/log/LogView'
import { useMay } from '~/shell/session'
import { lastSeen } from '~/tasks/time'
import { AnchorLink } from '~/ui/AnchorLink'
import { Blocked } from '~/ui/Blocked'
import { Button } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { Facts } from '~/ui/Facts'
import { Id } from '~/ui/Id'
import { LinkNotice } from '~/ui/LinkNotice'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { OperationState, type Seen } from '~/ui/State'
import { Ago, instant } from '~/ui/Time'
import { useLinkOf } from '../remotes/useLinkOf'
import { olderOperation, useTold } from '../useTold'
import { asks } from './decide'

const route = getRouteApi('/inside/operations/$id')

export default function OperationPage() {
  const { id } = route.useParams()
  const queries = useQueryClient()
  const told = useOperations()
  const asked = useTold<Operation>({
    key: ['operation', id],
    ask: (signal) => unwrap(api.GET('/api/v1/operations/{id}', { params: { path: { id } }, signal })),
    told: () => told?.get(id),
    older: olderOperation,
    open: (known) => !known.final,
  })
  const operation = asked.data
  const link = useLinkOf(operation && !operation.final ? operation.remote_id : undefined)
  if (!operation) {
    const gone = asked.error instanceof Refusal && asked.error.status === 404
    return (
      <Page title="Operation">
        {asked.isPending ? (
          <Skeleton height={90} />
        ) : gone ? (
          <Empty title="No such operation" action={<AnchorLink to="/operations">All operations</AnchorLink>}>
            It is older than what Muster keeps, or you may not see it.
          </Empty>
        ) : (
          <ProblemView error={asked.error} again={() => void asked.refetch()} />
        )}
      </Page>
    )
  }
  const label = power(operation.action).label
  const seen = lastSeen(!operation.final, link)
  return (
    <Page
      title={`${label} ${operation.name ?? operation.vmid}`}
      beside={<OperationState state={operation.state} seen={seen} />}
      actions={<CancelButton operation={operation} told={(now) => queries.setQueryData(['operation', id], now)} />}
    >
      <Stack gap="md">
        {asked.error && <ProblemView error={asked.error} title="What is shown could not be read anew" again={() => void asked.refetch()} />}
        {link && <LinkNotice link={link} remote={operation.remote} id={operation.remote_id} />}
        <Outcome operation={operation} seen={seen} />
        <Paper withBorder p="md">
          <OperationFacts operation={operation} />
        </Paper>
        {operation.show_as && (
          <section aria-labelledby="elsewhere">
            <Title order={2} id="elsewhere" mb="xs">
              The same elsewhere
            </Title>
            <ShownAs as={operation.show_as} />
          </section>
        )}
        <section aria-labelledby="history">
          <Title order={2} id="history" mb="xs">
            What happened
          </Title>
          <Steps operation={operation} />
        </section>
        {operation.task != null && (
          <section aria-labelledby="log">
            <Title order={2} id="log" mb="xs">
              Log of its task
            </Title>
            <LogView remote={String(operation.remote_id)} upid={operation.task} unreached={seen !== undefined} file={`${operation.remote}-${operation.action}-${operation.vmid}.log`} />
          </section>
        )}
      </Stack>
    </Page>
  )
}

/** How it stands, in words, with what would mend it and what a person can decide. */
function Outcome({ operation, seen }: { operation: Operation; seen: Seen | undefined }) {
  const bad = operation.final && !operation.success && !takenBack(operation)
  const color = bad ? 'red' : operation.state === 'outcome_unknown' || operation.state === 'succeeded_with_warnings' ? 'yellow' : operation.success ? 'green' : seen || operation.final ? 'gray' : 'blue'
  return (
    <Alert color={color} variant="light" role="status">
      <Stack gap="xs">
        <Text fw={600} className="name">
          {operation.sentence}
          {seen && <span className="quiet"> (when it was last seen)</span>}
        </Text>
        {operation.cause && <Text size="sm">{operation.cause.remedy}</Text>}
        {!operation.followed && !operation.final && <Text size="sm">It is not followed while its remote is disconnected.</Text>}
        {operation.last_lines.length > 0 && (
          <Code block aria-label="The last lines of its log">
            {operation.last_lines.join('\n')}
          </Code>
        )}
        <Decide operation={operation} />
      </Stack>
    </Alert>
  )
}

/** What only a person can say: which task it was, or that none was. */
function Decide({ operation }: { operation: Operation }) {
  const what = asks(operation)
  const may = useMay('operator', operation.remote_id)
  const [open, dialog] = useDisclosure(false)
  const queries = useQueryClient()
  const decide = useOnce(
    (body: { as: 'task'; task: string } | { as: 'not_sent' }, key) =>
      unwrap(
        api.POST('/api/v1/operations/{id}/resolve', {
          params: { path: { id: operation.id }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    () => {
      dialog.close()
      return queries.invalidateQueries({ queryKey: ['operation', operation.id] })
    },
    { deed: 'resolve', things: [`operation ${operation.id}`], said: 'it was taken down' },
  )
  if (what === undefined) return null
  const why = may ? undefined : 'This needs the role operator on this remote.'
  const failed = decide.error && <ProblemView error={decide.error} title="Not done" />
  return (
    <Stack gap="xs">
      <Text size="sm">{what.question}</Text>
      {what.tasks.map((task) => (
        <Group key={task} gap="xs">
          <AnchorLink to="/tasks/$remote/$upid" params={{ remote: String(operation.remote_id), upid: task }} className="mono">
            {task}
          </AnchorLink>
          <Blocked why={why}>
            <Button size="compact-xs" variant="default" loading={decide.isPending} onClick={() => decide.mutate({ as: 'task', task })}>
              It is this one
            </Button>
          </Blocked>
        </Group>
      ))}
      <Group>
        <Blocked why={why}>
          <Button size="compact-sm" variant="default" onClick={dialog.open}>
            {what.none}
          </Button>
        </Blocked>
      </Group>
      {!open && failed}
      <Modal opened={open} onClose={dialog.close} title={`${what.none}?`}>
        <Stack>
          <Text size="sm">{what.warning}</Text>
          {failed}
          <Group justify="flex-end">
            <Button variant="default" onClick={dialog.close}>
              Keep waiting
            </Button>
            <Button loading={decide.isPending} onClick={() => decide.mutate({ as: 'not_sent' })}>
              {what.none}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Stack>
  )
}

function OperationFacts({ operation }: { operation: Operation }) {
  const remote = String(operation.remote_id)
  const { timeout_seconds: timeout, force_stop: force } = operation.options
  const options = [timeout != null && `time-out ${span(timeout)}`, force != null && (force ? 'then stop' : 'no stop afterwards')].filter(Boolean)
  return (
    <Facts
      facts={[
        {
          name: 'Guest',
          value: (
            <AnchorLink to="/guests/$remote/$vmid" params={{ remote, vmid: String(operation.vmid) }} className="name">
              {operation.name ?? operation.vmid} ({operation.kind} {operation.vmid})
            </AnchorLink>
          ),
        },
        { name: 'Remote', value: <AnchorLink to="/remotes/$remote" params={{ remote }} className="name">{operation.remote}</AnchorLink> },
        { name: 'Node', value: <AnchorLink to="/nodes/$remote/$node" params={{ remote, node: operation.node }}>{operation.node}</AnchorLink> },
        { name: 'Asked for by', value: <span className="name">{`${operation.author.name} from ${operation.author.from}`}</span> },
        { name: 'Asked for', value: <Ago at={operation.requested} /> },
        { name: 'Stands so', value: <Ago at={operation.since} /> },
        options.length > 0 && { name: 'Options', value: options.join(', ') },
        operation.dispatch != null && {
          name: 'Sent',
          value: (
            <>
              <Ago at={operation.dispatch.at} /> through {operation.dispatch.endpoint}
            </>
          ),
        },
        operation.task != null && {
          name: 'Task',
          value: <AnchorLink to="/tasks/$remote/$upid" params={{ remote, upid: operation.task }}>{operation.task}</AnchorLink>,
        },
        { name: 'Id', value: <Id text={operation.id} /> },
      ]}
    />
  )
}

function Steps({ operation }: { operation: Operation }) {
  if (operation.log.length === 0) return <Text size="sm" className="quiet">Nothing was written down yet.</Text>
  return (
    <Stack gap={2} component="ul" style={{ listStyle: 'none', margin: 0, padding: 0 }}>
      {operation.log.map((entry, index) => {
        const at = instant(entry.at)
        return (
          <Group key={index} component="li" gap="sm" wrap="nowrap" align="baseline">
            <time className="quiet figures" dateTime={entry.at}>
              {at === undefined ? '' : clock(at)}
            </time>
            <Text size="sm" className="name">
              {entry.text}
            </Text>
          </Group>
        )
      })}
    </Stack>
  )
}
