/** What becomes of several wishes: each guest's own result, live until all have ended, and the failed ones once more. */
import { Group, Progress, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { AnchorLink } from '~/ui/AnchorLink'
import { Button } from '~/ui/Button'
import { OperationState, State } from '~/ui/State'
import classes from './actions.module.css'
import { type Cancelled, uncancelled } from './cancel'
import { CancelWaiting } from './CancelWaiting'
import { outcome, tally } from './decide'
import { useFollowed } from './follow'
import { mayAskAgain, type Result, resultOf } from './results'
import type { StartedItem, Target, Wish } from './server'
import { power } from './table'

interface ResultsProps {
  wish: Wish
  started: readonly StartedItem[]
  close: () => void
  again: (targets: readonly Target[]) => void
}

export function Results({ wish, started, close, again }: ResultsProps) {
  const [made, setMade] = useState<Cancelled>()
  const followed = useFollowed(
    started.flatMap((item) => item.id ?? []),
    started.flatMap((item) => item.operation ?? []),
  )
  const rows = started.map((item) => resultOf(item, followed))
  const operations = rows.flatMap((row) => (row.fate === 'untold' ? [] : (row.operation ?? [])))
  const number = (fate: Result['fate']) => rows.filter((row) => row.fate === fate).length
  const over = rows.filter((row) => row.over).length
  const all = over === rows.length
  const failed = rows.filter(mayAskAgain)
  // What went wrong comes first, then what nobody knows.
  const rank = (row: Result) => (failed.includes(row) ? 0 : row.fate === 'untold' ? 1 : 2)
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" role="status">
          {tally(operations, number('refused'), number('untold'))}
        </Text>
        <Progress value={(100 * over) / Math.max(1, rows.length)} mt={4} size="sm" aria-label="Ended" animated={!all} />
      </div>
      <ul className={classes.items} aria-label="Results" style={{ maxHeight: '46vh', overflowY: 'auto' }}>
        {/* While they change nothing moves. */}
        {(all ? [...rows].sort((a, b) => rank(a) - rank(b)) : rows).map((row) => (
          <Row key={`${row.target.remote}/${row.target.vmid}`} result={row} uncancelled={made?.failed.get(row.id ?? '')} close={close} />
        ))}
      </ul>
      <Text size="sm" className="quiet">
        {all ? 'Nothing of it goes on.' : 'What was asked for goes on when this is closed.'} The{' '}
        <AnchorLink to="/operations" size="sm" onClick={close}>
          operations
        </AnchorLink>{' '}
        show it.
      </Text>
      <Group justify="flex-end" gap="xs">
        <CancelWaiting operations={operations} made={made} done={setMade} />
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

/** What is said below a guest: what happened to it, and what would mend it. */
function said({ fate, operation, problem }: Result): { text?: string | undefined; remedy?: string | null | undefined } {
  if (fate === 'untold') {
    return { text: problem?.detail ?? problem?.title, remedy: 'It was taken on: its operation says how it stands. Do not ask for it again before.' }
  }
  if (problem) return { text: problem.detail ?? problem.title, remedy: problem.remedy }
  const told = operation && outcome(operation)
  return { text: told?.tone === 'busy' ? undefined : told?.text, remedy: told?.tone === 'good' ? undefined : told?.remedy }
}

function Row({ result, uncancelled: why, close }: { result: Result; uncancelled: unknown; close: () => void }) {
  const { target, id, operation, fate } = result
  const { text, remedy } = said(result)
  const failed = operation?.final && !operation.success
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
          {fate === 'refused' ? (
            <State tone="bad">refused</State>
          ) : fate === 'untold' || !operation ? (
            <State tone="unknown">taken on, state not known</State>
          ) : (
            <OperationState state={operation.state} />
          )}
        </Text>
        {operation?.task && failed ? (
          <AnchorLink
            to="/tasks/$remote/$upid"
            params={{ remote: String(operation.remote_id), upid: operation.task }}
            size="sm"
            onClick={close}
          >
            Log
          </AnchorLink>
        ) : (
          id !== null && (
            <AnchorLink to="/operations/$id" params={{ id }} size="sm" onClick={close}>
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
      {why !== undefined && !operation?.final && (
        <Text size="xs" className={classes.below}>
          {uncancelled(why)}
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
