/** What becomes of several wishes: each guest's own result, live until all have ended, and the failed ones once more. */
import { Button, Group, Progress, Stack, Text } from '@mantine/core'
import type { Operation, Problem } from '~/api/types'
import { AnchorLink } from '~/ui/AnchorLink'
import { OperationState, State } from '~/ui/State'
import classes from './actions.module.css'
import { CancelWaiting } from './CancelWaiting'
import { outcome, repeatable, tally } from './decide'
import { useFollowed } from './follow'
import type { StartedItem, Target, Wish } from './server'
import { power } from './table'

interface ResultsProps {
  wish: Wish
  started: readonly StartedItem[]
  close: () => void
  again: (targets: readonly Target[]) => void
}

export function Results({ wish, started, close, again }: ResultsProps) {
  const accepted = started.flatMap((item) => item.operation ?? [])
  const operations = useFollowed(accepted)
  const now = new Map(operations.map((operation) => [operation.id, operation]))
  const rows = started.map((item) => ({ ...item, operation: item.operation && (now.get(item.operation.id) ?? item.operation) }))
  const refused = started.length - accepted.length
  const ended = operations.filter((operation) => operation.final).length + refused
  const all = ended === started.length
  const failed = rows.filter((row) => row.problem !== null || (row.operation && repeatable(row.operation)))
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" role="status">
          {tally(operations, refused)}
        </Text>
        <Progress value={(100 * ended) / Math.max(1, started.length)} mt={4} size="sm" aria-label="Ended" animated={!all} />
      </div>
      <ul className={classes.items} aria-label="Results" style={{ maxHeight: '46vh', overflowY: 'auto' }}>
        {/* While they change nothing moves; then what went wrong comes first. */}
        {(all ? [...failed, ...rows.filter((row) => !failed.includes(row))] : rows).map((row) => (
          <Row key={`${row.target.remote}/${row.target.vmid}`} target={row.target} operation={row.operation} problem={row.problem} close={close} />
        ))}
      </ul>
      {!all && (
        <Text size="sm" className="quiet">
          What was asked for goes on when this is closed. The{' '}
          <AnchorLink to="/operations" size="sm" onClick={close}>
            operations
          </AnchorLink>{' '}
          show it.
        </Text>
      )}
      <Group justify="flex-end" gap="xs">
        <CancelWaiting operations={operations} />
        {failed.length > 0 && (
          <Button
            variant="default"
            // What still runs would no longer be seen here.
            disabled={!all}
            onClick={() => again(failed.map((row) => row.target))}
          >
            {power(wish.action).label} {failed.length === 1 ? 'the one' : `the ${failed.length}`} that failed again
          </Button>
        )}
        <Button onClick={close}>{all ? 'Done' : 'Close'}</Button>
      </Group>
    </Stack>
  )
}

interface RowProps {
  target: Target
  operation: Operation | null
  problem: Problem | null
  close: () => void
}

function Row({ target, operation, problem, close }: RowProps) {
  const told = operation && outcome(operation)
  const text = problem ? (problem.detail ?? problem.title) : told && told.tone !== 'busy' ? told.text : undefined
  const remedy = problem ? problem.remedy : told?.tone === 'good' ? undefined : told?.remedy
  return (
    <li>
      <div className={classes.what}>
        <Text size="sm" fw={600} className="name" lineClamp={1}>
          {operation?.name ?? target.name ?? target.vmid}
        </Text>
        {operation && (
          <Text size="xs" className="quiet">
            <bdi>{operation.remote}</bdi>/{operation.vmid}
          </Text>
        )}
      </div>
      <Group gap="sm" className={classes.beside} wrap="nowrap">
        <Text component="span" size="sm">
          {operation ? <OperationState state={operation.state} /> : <State tone="bad">refused</State>}
        </Text>
        {operation?.task && operation.final && !operation.success ? (
          <AnchorLink
            to="/tasks/$remote/$upid"
            params={{ remote: String(operation.remote_id), upid: operation.task }}
            size="sm"
            onClick={close}
          >
            Log
          </AnchorLink>
        ) : (
          operation && (
            <AnchorLink to="/operations/$id" params={{ id: operation.id }} size="sm" onClick={close}>
              Operation
            </AnchorLink>
          )
        )}
      </Group>
      {text && (
        <Text size="xs" className={classes.below}>
          {text}
        </Text>
      )}
      {remedy && (
        <Text size="xs" className={`${classes.below} quiet`}>
          {remedy}
        </Text>
      )}
    </li>
  )
}
