/** Guests that fit a query, on the page of what they belong to. */
import { Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { guestMenu, nameOf, pathOf } from '~/actions/GuestMenu'
import type { Guest } from '~/api/types'
import { many } from '~/format/format'
import { COLUMNS } from '~/pages/guests/columns'
import { DataTable } from '~/table/DataTable'
import { useLiveRows } from '~/table/sources'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import classes from './nodes.module.css'

/** Columns by their names that say the same in every row here. */
export function GuestTable({ q, without, sort, onSort }: { q: string; without: readonly string[]; sort?: string; onSort?: (sort: string) => void }) {
  const [own, setOwn] = useState('')
  const by = sort ?? own
  const source = useLiveRows('guests', q, by)
  const total = source.order?.total
  const [columns] = useState(() => COLUMNS.filter((column) => !without.includes(column.id)))
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Text size="sm" className="quiet figures" role="status">
          {total === undefined ? 'Loading' : many(total, 'guest')}
        </Text>
        <AnchorLink to="/guests" search={{ q }} size="sm">
          In the list of guests
        </AnchorLink>
      </Group>
      <div className={classes.place} style={{ '--rows': Math.max(4, total ?? 8) } as React.CSSProperties}>
        <DataTable<Guest>
          name="guests-of"
          label="Guests"
          columns={columns}
          source={source}
          sort={by}
          onSort={onSort ?? setOwn}
          nameOf={nameOf}
          to={pathOf}
          stale={(row) => row.freshness !== 'live'}
          menu={guestMenu}
          empty={<Empty title="No guests here" />}
        />
      </div>
    </Stack>
  )
}
