/** What is wrong now, worst first, each leading to the thing. While somebody points at the list nothing in it moves. */
import { Alert, Button, Group, List, Stack, Text, Title } from '@mantine/core'
import { IconAlertCircle, IconAlertTriangle, IconCircleCheck, IconHelpCircle, IconInfoCircle } from '@tabler/icons-react'
import { useState } from 'react'
import { capital, clock, count, many } from '~/format/format'
import type { LiveOverview } from '~/live/state'
import { AnchorLink } from '~/ui/AnchorLink'
import { Panel } from '~/ui/Panel'
import { Ago } from '~/ui/Time'
import { useStill } from '~/ui/useStill'
import { Waiting } from '~/ui/Waiting'
import { grouped, type Group as Kinds, KINDS, listOf, pageOf, seenOf, type Trouble, unknowns, verdict } from './decide'
import classes from './overview.module.css'

/** Up to so many are told one below the other; more, by kind. */
const FLAT = 12
/** Of each kind, so many at first. */
const FEW = 4

const idOf = (item: Trouble) => item.id

interface ProblemsProps {
  overview: LiveOverview
  /** It is told no more since then (milliseconds since 1970). */
  staleSince: number | undefined
}

export function Problems({ overview, staleSince }: ProblemsProps) {
  const { items, total, by_kind: byKind } = overview.problems
  const { lines, waiting, show, around } = useStill(items, idOf)
  const asOf = staleSince === undefined ? undefined : clock(staleSince)
  if (lines.length === 0 && total === 0) return <Well overview={overview} asOf={asOf} />
  const over = new Set(lines.filter((one) => one.over).map((one) => one.item.id))
  const rows = lines.map((one) => one.item)
  return (
    <Panel
      title={asOf === undefined ? 'What is wrong now' : `What was wrong at ${asOf}`}
      around={around}
      beside={
        <Group gap="xs" role="status">
          {waiting > 0 && <Waiting number={waiting} show={show} />}
          <Text size="sm" className="quiet figures">
            {many(total, 'problem')}
          </Text>
        </Group>
      }
    >
      {rows.length <= FLAT ? (
        <Rows items={rows} over={over} />
      ) : (
        <Stack gap="sm">
          {grouped(rows, byKind).map((group) => (
            <Several key={group.kind} group={group} over={over} />
          ))}
        </Stack>
      )}
      {total > items.length && (
        <Text size="sm" className="quiet">
          The worst {count(items.length)} of {count(total)} are listed here.
        </Text>
      )}
      <Unknowns overview={overview} />
    </Panel>
  )
}

/** Problems of one kind: the worst, the others on demand, and the list of all of them. */
function Several({ group, over }: { group: Kinds; over: ReadonlySet<string> }) {
  const [open, setOpen] = useState(false)
  const items = open ? group.items : group.items.slice(0, FEW)
  const list = listOf(group.kind)
  const more = group.items.length - FEW
  return (
    <section aria-label={KINDS[group.kind]}>
      <Group gap="xs">
        <Title order={3}>{KINDS[group.kind]}</Title>
        <Text size="sm" className="quiet figures">
          {count(group.total)}
        </Text>
        {list && (
          <AnchorLink size="sm" to={list}>
            As a list
          </AnchorLink>
        )}
      </Group>
      <Rows items={items} over={over} />
      {more > 0 && (
        <Button size="compact-sm" variant="subtle" onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? 'Show fewer' : `Show ${count(more)} more`}
        </Button>
      )}
    </section>
  )
}

function Rows({ items, over }: { items: readonly Trouble[]; over: ReadonlySet<string> }) {
  return (
    <ul className={classes.problems}>
      {items.map((item) => (
        <Row key={item.id} item={item} over={over.has(item.id)} />
      ))}
    </ul>
  )
}

const SIGNS = { error: IconAlertCircle, warning: IconAlertTriangle, notice: IconInfoCircle } as const

function Row({ item, over }: { item: Trouble; over: boolean }) {
  const Sign = SIGNS[item.severity]
  const { subject } = item
  const to = pageOf(item)
  const seen = seenOf(item)
  const where = subject.remote && subject.type !== 'remote' ? subject.remote : undefined
  return (
    <li className={classes.problem} data-over={over || undefined}>
      <Sign size={18} className={classes.sign} data-severity={item.severity} role="img" aria-label={item.severity} />
      <div style={{ minWidth: 0 }}>
        {to ? (
          <AnchorLink to={to} size="sm" className={`name ${classes.subject}`} title={nameOf(item)}>
            {nameOf(item)}
          </AnchorLink>
        ) : (
          <span className={`name ${classes.subject}`}>{nameOf(item)}</span>
        )}
        {where && <span className="quiet"> on <bdi>{where}</bdi></span>}
        {': '}
        <span className="name">{item.sentence}</span>
        {over && <span className="quiet"> (no longer so)</span>}
        {seen && !over && (
          <span>
            {' '}
            {seen.words} <Ago at={seen.at} />
          </span>
        )}
        {item.remedy && (
          <Text size="xs" className="quiet">
            {item.remedy}
          </Text>
        )}
      </div>
      <span className={classes.when}>{item.since && <Ago at={item.since} />}</span>
    </li>
  )
}

const WORDS: Record<string, string> = { node: 'node', guest: 'guest', storage: 'storage', task: 'task', operation: 'operation' }

function nameOf({ subject }: Trouble): string {
  const word = WORDS[subject.type]
  return word === undefined || subject.type === 'task' || subject.type === 'operation' ? subject.name : `${word} ${subject.name}`
}

/** Nothing is wrong, as far as is known; how far that is, is said. */
function Well({ overview, asOf }: { overview: LiveOverview; asOf: string | undefined }) {
  const { title, well } = verdict(overview, asOf)
  return (
    <Alert
      role="status"
      variant="light"
      color={well ? 'green' : 'gray'}
      icon={well ? <IconCircleCheck size={20} /> : <IconHelpCircle size={20} />}
      title={title}
    >
      <Clauses overview={overview} />
    </Alert>
  )
}

function Unknowns({ overview }: { overview: LiveOverview }) {
  if (unknowns(overview).length === 0) return null
  return (
    <Stack gap={2}>
      <Text size="sm" fw={600}>
        Not known
      </Text>
      <Clauses overview={overview} />
    </Stack>
  )
}

function Clauses({ overview }: { overview: LiveOverview }) {
  const found = unknowns(overview)
  if (found.length === 0) return null
  return (
    <List size="sm">
      {found.map((clause) => (
        <List.Item key={clause}>{capital(clause)}.</List.Item>
      ))}
    </List>
  )
}
