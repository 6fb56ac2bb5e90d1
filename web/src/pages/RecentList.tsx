/** The list of tasks and that of operations: query, states as filters, the table, and how far it reaches. */
import { Button, Group, Stack, Text } from '@mantine/core'
import { useCallback } from 'react'
import type { Counts } from '~/api/types'
import { count, words } from '~/format/format'
import { isAboutQuery, QueryBox } from '~/query/QueryBox'
import { toggled, valuesOf } from '~/query/terms'
import { DataTable } from '~/table/DataTable'
import { MOST_RECENT, useRecent } from '~/table/recent'
import { useRowsAtHand } from '~/table/sources'
import type { Column } from '~/table/types'
import { Empty } from '~/ui/Empty'

export interface RecentListProps<R extends { id: string }> {
  list: 'tasks' | 'operations'
  label: string
  q: string
  sort: string
  ask: (
    query: { q?: string; sort?: string; limit: number },
    signal: AbortSignal,
  ) => Promise<{ items: R[]; total: number; counts?: Counts }>
  /** Rows as the stream tells them. */
  told: ReadonlyMap<string, R> | undefined
  columns: readonly Column<R>[]
  nameOf: (row: R) => string
  to: (row: R) => string
  /** States that the list can be narrowed to with one press. */
  states: readonly string[]
  /** What an empty list says when nothing narrows it. */
  none: string
  choose: (change: { q?: string | undefined; sort?: string | undefined }) => void
}

/** The order is the server's. */
const AS_TOLD = ''

export function RecentList<R extends { id: string }>(props: RecentListProps<R>) {
  const { list, label, q, sort, ask, told, columns, nameOf, to, states, none, choose } = props
  const recent = useRecent<R>(
    [list, q, sort],
    (signal) => ask({ limit: MOST_RECENT, ...(q === '' ? {} : { q }), ...(sort === '' ? {} : { sort }) }, signal),
    told,
  )
  const source = useRowsAtHand(recent.rows, columns, AS_TOLD, {
    error: isAboutQuery(recent.error) ? undefined : recent.error,
    again: recent.again,
    pending: recent.pending,
  })
  const write = useCallback((next: string) => choose({ q: next === '' ? undefined : next }), [choose])
  const chosen = valuesOf(q, 'status')
  return (
    <Stack gap="xs" style={{ flex: 1, minHeight: 0 }}>
      <div>
        <QueryBox list={list} q={q} onChange={write} error={recent.error} />
      </div>
      <Group gap={6} role="group" aria-label="States">
        {states.map((state) => (
          <Button
            key={state}
            size="compact-xs"
            variant={chosen.includes(state) ? 'light' : 'default'}
            aria-pressed={chosen.includes(state)}
            onClick={() => write(toggled(q, 'status', state))}
          >
            {words(state)}
          </Button>
        ))}
        <Text size="xs" className="quiet figures" role="status" ms="auto">
          {extent(recent.total)}
        </Text>
      </Group>
      <DataTable
        name={list}
        label={label}
        columns={columns}
        source={source}
        sort={sort}
        onSort={(next) => choose({ sort: next === '' ? undefined : next })}
        nameOf={nameOf}
        to={to}
        empty={
          q === '' ? (
            <Empty title="Nothing here yet">{none}</Empty>
          ) : (
            <Empty
              title="Nothing fits"
              action={
                <Button variant="default" size="xs" onClick={() => write('')}>
                  Show all
                </Button>
              }
            >
              None of what is kept fits this query.
            </Empty>
          )
        }
      />
    </Stack>
  )
}

/** How many there are, and how many of them are shown. */
function extent(total: number | undefined): string {
  if (total === undefined) return ''
  return total > MOST_RECENT ? `the first ${count(MOST_RECENT)} of ${count(total)}: a query finds the others` : count(total)
}
