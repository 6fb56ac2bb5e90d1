/** A history as lines by day, each with its facts to be unfolded, and a way to older ones. */
import { ActionIcon, Code, Collapse, Group, Skeleton, Stack, Table, Text } from '@mantine/core'
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import { useState } from 'react'
import type { FleetEvent, Schemas } from '~/api/types'
import { clock, DASH } from '~/format/format'
import { useSession } from '~/shell/session'
import { AnchorLink } from '~/ui/AnchorLink'
import { Button } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { NoGrants } from '~/ui/NoGrants'
import { ProblemView } from '~/ui/Problem'
import { instant } from '~/ui/Time'
import { useStill } from '~/ui/useStill'
import { Waiting } from '~/ui/Waiting'
import { kindWords } from './kinds'
import classes from './timeline.module.css'
import { type HistoryOf, useHistory } from './useHistory'

const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })

export interface TimelineProps {
  of: HistoryOf
  /** Whether lines name their guest and remote; on a guest's own page that is plain. */
  named?: boolean
  /** Takes the filter away. */
  unfilter?: () => void
}

const idOf = (event: FleetEvent) => event.id

export function Timeline({ of, named, unfilter }: TimelineProps) {
  const { events, pages } = useHistory(of)
  const session = useSession()
  // Older ones are put behind what is shown: that moves nothing.
  const { lines, waiting, show, around } = useStill(events, idOf, { grows: true, of: JSON.stringify(of) })
  if (pages.isPending) {
    return (
      <Stack gap={6} aria-label="Loading" role="status">
        {Array.from({ length: 8 }, (_, line) => (
          <Skeleton key={line} height={22} />
        ))}
      </Stack>
    )
  }
  const days = byDay(lines.map((line) => line.item))
  return (
    <Stack gap="md" {...around}>
      {pages.error && <ProblemView error={pages.error} title="The history could not be read" again={() => void pages.refetch()} />}
      {/* It lies over the list: coming and going moves nothing. */}
      <div className={classes.waiting} role="status">
        {waiting > 0 && <Waiting number={waiting} show={show} />}
      </div>
      {events.length === 0 && !pages.error && session.grants.length === 0 && <NoGrants />}
      {events.length === 0 && !pages.error && session.grants.length > 0 && (
        <Empty
          title={unfilter ? 'Nothing like that has happened' : 'Nothing has happened yet'}
          action={
            unfilter && (
              <Button variant="default" size="xs" onClick={unfilter}>
                Show all kinds
              </Button>
            )
          }
        >
          {unfilter ? 'Nothing of this kind is in the history that is kept.' : 'State changes, moves, changes of configuration, links and operations are kept here.'}
        </Empty>
      )}
      {days.map(({ day, items }) => (
        <section key={day} aria-label={day}>
          <Text size="sm" fw={600} className="quiet" mb={4}>
            {day}
          </Text>
          <ul className={classes.list}>
            {items.map((event) => (
              <Line key={event.id} event={event} named={named ?? false} />
            ))}
          </ul>
        </section>
      ))}
      {pages.hasNextPage && (
        <Button variant="default" size="xs" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()} style={{ alignSelf: 'center' }}>
          Older
        </Button>
      )}
    </Stack>
  )
}

/** Lines under the day they happened on, in the reader's zone. */
export function byDay(events: readonly FleetEvent[]): { day: string; items: FleetEvent[] }[] {
  const days: { day: string; items: FleetEvent[] }[] = []
  for (const event of events) {
    const at = instant(event.at)
    const day = at === undefined ? 'At an unknown time' : DAY.format(at)
    const last = days.at(-1)
    if (last?.day === day) last.items.push(event)
    else days.push({ day, items: [event] })
  }
  return days
}

function Line({ event, named }: { event: FleetEvent; named: boolean }) {
  const [open, setOpen] = useState(false)
  const at = instant(event.at)
  return (
    <li className={classes.line}>
      <div className={classes.head}>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-expanded={open} aria-label={`Details of: ${event.sentence}`} onClick={() => setOpen(!open)}>
          {open ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
        </ActionIcon>
        <time className={`${classes.time} figures quiet`} dateTime={event.at}>
          {at === undefined ? DASH : clock(at)}
        </time>
        <span className={classes.text}>
          {named && event.remote && (
            <AnchorLink to="/remotes/$remote" params={{ remote: String(event.remote_id) }} className={`${classes.remote} name`}>
              {event.remote}
            </AnchorLink>
          )}
          {named && event.remote_id != null && event.vmid != null && (
            <AnchorLink
              to="/guests/$remote/$vmid"
              params={{ remote: String(event.remote_id), vmid: String(event.vmid) }}
              className={`${classes.remote} name`}
            >
              {event.guest ?? event.vmid}
            </AnchorLink>
          )}
          <span className="name">{event.sentence}</span>
          {event.author && <span className="quiet"> — {event.author.name}</span>}
        </span>
      </div>
      <Collapse expanded={open}>
        <Details event={event} />
      </Collapse>
    </li>
  )
}

function Details({ event }: { event: FleetEvent }) {
  const what = event.what
  const changes = what && 'changes' in what ? (what.changes ?? []) : []
  return (
    <Stack gap="xs" className={classes.details}>
      <Group gap="md">
        <Text size="sm">{kindWords(event.name)}</Text>
        {event.remote_id != null && event.vmid != null && (
          <AnchorLink to="/guests/$remote/$vmid" params={{ remote: String(event.remote_id), vmid: String(event.vmid) }}>
            Guest {event.vmid}
          </AnchorLink>
        )}
        {event.remote_id != null && event.node && (
          <AnchorLink to="/nodes/$remote/$node" params={{ remote: String(event.remote_id), node: event.node }}>
            Node {event.node}
          </AnchorLink>
        )}
        {event.operation && (
          <AnchorLink to="/operations/$id" params={{ id: event.operation }}>
            Its operation
          </AnchorLink>
        )}
        {event.remote_id != null && event.task && (
          <AnchorLink to="/tasks/$remote/$upid" params={{ remote: String(event.remote_id), upid: event.task }}>
            Its task
          </AnchorLink>
        )}
        {event.author && (
          <Text size="sm" className="quiet">
            asked for by {event.author.name} from {event.author.from}
          </Text>
        )}
      </Group>
      {changes.length > 0 && <Changes changes={changes} />}
      <Code block>{JSON.stringify(what ?? null, null, 2)}</Code>
    </Stack>
  )
}

function Changes({ changes }: { changes: Schemas['ConfigChange'][] }) {
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Key</Table.Th>
            <Table.Th>Before</Table.Th>
            <Table.Th>After</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {changes.map((change) => (
            <Table.Tr key={change.key}>
              <Table.Td className="mono">{change.key}</Table.Td>
              <Table.Td className="mono">{change.from ?? <span className="quiet">not set</span>}</Table.Td>
              <Table.Td className="mono">{change.to ?? <span className="quiet">not set</span>}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
