/** Tasks of one thing, newest first: those that the server has kept, and those that the stream tells of. */
import { Skeleton, Stack, Table, Text } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { Link, Task } from '~/api/types'
import classes from '~/events/timeline.module.css'
import { DASH, span } from '~/format/format'
import { useLinks, useTasks } from '~/live/hooks'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { type Seen, TaskState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { useStill } from '~/ui/useStill'
import { Waiting } from '~/ui/Waiting'
import { lastSeen, took } from './time'
import { together } from './together'

export interface TaskListProps {
  asked: UseQueryResult<{ items: Task[]; total: number }>
  /** Which tasks of the stream belong here. */
  mine: (task: Task) => boolean
  /** Whether to say which guest each is about. */
  guests?: boolean
  /** The link to its remote, where that is known. */
  link?: Pick<Link, 'up'> | undefined
  /** Instead of rows, when there are none. */
  empty?: React.ReactNode
}

const NONE = 'None is kept: neither Muster nor anybody else has had Proxmox VE do anything with it lately.'
const UNREACHED = 'None is known. What was done with it since its remote was last reached is not known.'

const idOf = (task: Task) => task.id

export function TaskList({ asked, mine, guests, link, empty }: TaskListProps) {
  const told = useTasks()
  const links = useLinks()
  const items = asked.data?.items
  const rows = useMemo(() => together(items ?? [], [...(told?.values() ?? [])].filter(mine)), [items, told, mine])
  // Older ones are put behind what is shown: that moves nothing.
  const { lines, waiting, show, around } = useStill(rows, idOf, { grows: true })
  if (asked.isPending && rows.length === 0) {
    return (
      <Stack gap={6} role="status" aria-label="Loading">
        {Array.from({ length: 6 }, (_, line) => (
          <Skeleton key={line} height={26} />
        ))}
      </Stack>
    )
  }
  return (
    <Stack gap="sm" {...around}>
      {/* It lies over the list: coming and going moves nothing. */}
      <div className={classes.waiting} role="status">
        {waiting > 0 && <Waiting number={waiting} show={show} />}
      </div>
      {asked.error && <ProblemView error={asked.error} title="The tasks could not be read" again={() => void asked.refetch()} />}
      {rows.length === 0 && !asked.error ? (
        (empty ?? <Empty title="No tasks">{link && !link.up ? UNREACHED : NONE}</Empty>)
      ) : (
        <Table.ScrollContainer minWidth={560}>
          <Table highlightOnHover aria-label="Tasks">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Task</Table.Th>
                {guests && <Table.Th>Guest</Table.Th>}
                <Table.Th>State</Table.Th>
                <Table.Th>Began</Table.Th>
                <Table.Th>Took</Table.Th>
                <Table.Th>By</Table.Th>
                <Table.Th>Node</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {lines.map(({ item: task }) => (
                <Row key={task.id} task={task} guests={guests ?? false} seen={lastSeen(task.outcome === 'running', links?.get(task.remote_id)?.link)} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {asked.data && asked.data.total > asked.data.items.length && (
        <Text size="sm" className="quiet">
          The newest {asked.data.items.length} of {asked.data.total}.
        </Text>
      )}
    </Stack>
  )
}

function Row({ task, guests, seen }: { task: Task; guests: boolean; seen: Seen | undefined }) {
  const remote = String(task.remote_id)
  return (
    <Table.Tr className={seen && 'stale'}>
      <Table.Td>
        <AnchorLink to="/tasks/$remote/$upid" params={{ remote, upid: task.upid }} size="sm">
          {task.name}
        </AnchorLink>
      </Table.Td>
      {guests && (
        <Table.Td>
          {task.vmid == null ? (
            DASH
          ) : (
            <AnchorLink to="/guests/$remote/$vmid" params={{ remote, vmid: String(task.vmid) }} size="sm" className="name">
              {task.guest ?? task.vmid}
            </AnchorLink>
          )}
        </Table.Td>
      )}
      <Table.Td>
        <TaskState outcome={task.outcome} seen={seen} />
        {task.outcome === 'failed' && (
          <Text size="xs" className="quiet name">
            {task.text}
          </Text>
        )}
      </Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        <Ago at={task.started} />
      </Table.Td>
      <Table.Td className="figures" style={{ whiteSpace: 'nowrap' }}>
        {span(took(task))}
      </Table.Td>
      <Table.Td className="name">{task.user}</Table.Td>
      <Table.Td className="name">{task.node}</Table.Td>
    </Table.Tr>
  )
}
