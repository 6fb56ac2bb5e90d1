/** What goes on: operations that have not ended, and tasks that run. */
import { Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { power } from '~/actions/table'
import type { Schemas } from '~/api/types'
import { count } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { OperationState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import classes from './overview.module.css'
import { Panel } from './Panel'

const FEW = 8

export function RunningOperations({ running }: { running: Schemas['Running'] }) {
  const { operations, operations_total: total } = running
  return (
    <Part title="Running operations" total={total} to="/operations" q="status:open" none="None is open.">
      {operations.slice(0, FEW).map((operation) => (
        <div key={operation.id} className={classes.row}>
          <AnchorLink size="sm" className="name" to="/operations/$id" params={{ id: operation.id }}>
            {power(operation.action).label} {operation.name ?? operation.guest}
          </AnchorLink>
          <span className="quiet">
            <bdi>{operation.remote}</bdi> · by <bdi>{operation.author.name}</bdi> · <Ago at={operation.requested} />{' '}
            <OperationState state={operation.state} />
          </span>
        </div>
      ))}
    </Part>
  )
}

export function RunningTasks({ running }: { running: Schemas['Running'] }) {
  const { tasks, tasks_total: total } = running
  return (
    <Part title="Running tasks" total={total} to="/tasks" q="status:running" none="None runs.">
      {tasks.slice(0, FEW).map((task) => (
        <div key={task.id} className={classes.row}>
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
          </span>
        </div>
      ))}
    </Part>
  )
}

interface PartProps {
  title: string
  total: number
  to: '/operations' | '/tasks'
  q: string
  none: string
  children: ReactNode
}

function Part({ title, total, to, q, none, children }: PartProps) {
  return (
    <Panel
      title={title}
      className={classes.half}
      beside={
        <AnchorLink size="sm" to={to} search={total > 0 ? { q } : {}} className="figures">
          {total > 0 ? `all ${count(total)}` : 'recent ones'}
        </AnchorLink>
      }
    >
      {total === 0 ? (
        <Text size="sm" className="quiet">
          {none}
        </Text>
      ) : (
        children
      )}
    </Panel>
  )
}
