/** What goes on: operations that have not ended, and tasks that run. */
import { Group, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { power } from '~/actions/table'
import type { Schemas } from '~/api/types'
import { capital, count } from '~/format/format'
import { running as knownOf } from '~/tasks/running'
import { AnchorLink } from '~/ui/AnchorLink'
import { Panel } from '~/ui/Panel'
import { OperationState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { useStill } from '~/ui/useStill'
import { Waiting } from '~/ui/Waiting'
import classes from './overview.module.css'

const FEW = 8

export function RunningOperations({ running }: { running: Schemas['Running'] }) {
  const { operations, operations_total: total } = running
  return (
    <Part title="Running operations" total={total} to="/operations" q="status:open" none="None is open." items={operations.slice(0, FEW)}>
      {(operation, over) => (
        <div key={operation.id} className={classes.row} data-over={over || undefined}>
          <AnchorLink size="sm" className="name" to="/operations/$id" params={{ id: operation.id }}>
            {power(operation.action).label} {operation.name ?? operation.guest}
          </AnchorLink>
          <span className="quiet">
            <bdi>{operation.remote}</bdi> · by <bdi>{operation.author.name}</bdi> · <Ago at={operation.requested} />{' '}
            {over ? 'not among these any more' : <OperationState state={operation.state} />}
          </span>
        </div>
      )}
    </Part>
  )
}

export function RunningTasks({ running, remotes }: { running: Schemas['Running']; remotes: number }) {
  const { tasks, tasks_total: total } = running
  const { figure, wanting } = knownOf(total, running.tasks_unknown, remotes)
  return (
    <Part
      title="Running tasks"
      total={total}
      figure={figure}
      wanting={wanting && `${capital(wanting)} which tasks run.`}
      to="/tasks"
      q="status:running"
      none={wanting === undefined ? 'None runs.' : 'None is known to run.'}
      items={tasks.slice(0, FEW)}
    >
      {(task, over) => (
        <div key={task.id} className={classes.row} data-over={over || undefined}>
          <AnchorLink
            size="sm"
            className="name"
            to="/tasks/$remote/$upid"
            params={{ remote: String(task.remote_id), upid: task.upid }}
          >
            {task.name}
            {task.guest && ` ${task.guest}`}
          </AnchorLink>
          <span className="quiet">
            <bdi>{task.remote}</bdi>/<bdi>{task.node}</bdi> · <bdi>{task.user}</bdi> · <Ago at={task.started} />
            {over && ' · not among these any more'}
          </span>
        </div>
      )}
    </Part>
  )
}

interface PartProps<T> {
  title: string
  total: number
  /** How many there are, in words; absent: as `total` says. */
  figure?: string | undefined
  /** What is not known of it. */
  wanting?: string | undefined
  to: '/operations' | '/tasks'
  q: string
  none: string
  items: readonly T[]
  children: (item: T, over: boolean) => ReactNode
}

function idOf(item: { id: string }): string {
  return item.id
}

function Part<T extends { id: string }>({ title, total, figure = count(total), wanting, to, q, none, items, children }: PartProps<T>) {
  const { lines, waiting, show, around } = useStill(items, idOf)
  return (
    <Panel
      title={title}
      className={classes.half}
      around={around}
      beside={
        <Group gap="xs">
          {waiting > 0 && <Waiting number={waiting} show={show} />}
          <AnchorLink size="sm" to={to} search={total > 0 ? { q } : {}} className="figures">
            {total > 0 ? `all ${figure}` : 'recent ones'}
          </AnchorLink>
        </Group>
      }
    >
      {total === 0 && lines.length === 0 ? (
        <Text size="sm" className="quiet">
          {none}
        </Text>
      ) : (
        <div>{lines.map(({ item, over }) => children(item, over))}</div>
      )}
      {wanting && (
        <Text size="sm" className="quiet">
          {wanting}
        </Text>
      )}
    </Panel>
  )
}
