/** All guests of all remotes in one list, with the tree of remotes and nodes beside it. */
import { ActionIcon, Drawer, Tooltip } from '@mantine/core'
import { useDisclosure, useMediaQuery } from '@mantine/hooks'
import { IconLayoutSidebar } from '@tabler/icons-react'
import { useSearch } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { guestMenu, nameOf, pathOf } from '~/actions/GuestMenu'
import type { Guest } from '~/api/types'
import { usePreference } from '~/preferences/preferences'
import type { ChipsOf } from '~/query/Chips'
import { ListBar } from '~/query/ListBar'
import { NothingFits } from '~/query/NothingFits'
import { useQuestion } from '~/query/question'
import { heard } from '~/query/refused'
import { DataTable } from '~/table/DataTable'
import { useLiveRows } from '~/table/sources'
import { Page } from '~/ui/Page'
import { COLUMNS } from './columns'
import classes from './guests.module.css'
import { Selection } from './Selection'
import { Tree } from './Tree'
import { usePicked } from './usePicked'

const CHIPS: readonly ChipsOf[] = [
  { key: 'status', from: 'state', usual: ['running', 'stopped'] },
  { key: 'type', from: 'type', usual: ['ct', 'vm'], word: (value) => (value === 'ct' ? 'CT' : value === 'vm' ? 'VM' : value) },
]
const NONE: ReadonlyMap<string, Guest> = new Map()

export default function GuestsPage() {
  const search = useSearch({ from: '/inside/guests' })
  const { q, sort, change } = useQuestion('guests', search)
  const source = useLiveRows('guests', q, sort)
  const picking = usePicked(q, search.picked ?? '', change)
  const { selected, select } = picking

  const narrow = useMediaQuery('(max-width: 62em)', false, { getInitialValueInEffect: false })
  const [beside, setBeside] = usePreference('ui', 'guests_tree')
  const [drawer, { open, close }] = useDisclosure(false)
  const shown = !narrow && beside !== false
  const label = shown ? 'Hide remotes and nodes' : 'Remotes and nodes'
  const pick = useCallback(
    (to: string) => {
      change({ q: to })
      close()
    },
    [change, close],
  )
  // Stays as it is while rows tick.
  const twist = useMemo(
    () => (
      <Tooltip label={label}>
        <ActionIcon
          variant="default"
          size="input-sm"
          aria-label={label}
          aria-expanded={narrow ? drawer : shown}
          onClick={() => (narrow ? open() : setBeside(!shown))}
        >
          <IconLayoutSidebar size={18} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    ),
    [label, narrow, drawer, shown, open, setBeside],
  )
  const tree = <Tree q={q} onPick={pick} />

  return (
    <Page title="Guests" full>
      <div className={classes.main}>
        {shown && tree}
        <div className={classes.list}>
          <ListBar
            list="guests"
            one="guest"
            q={q}
            sort={sort}
            onChange={change}
            columns={COLUMNS}
            total={source.order?.total}
            counts={source.counts}
            pending={source.pending}
            error={source.error}
            chips={CHIPS}
            selection={
              selected.size === 0 && picking.lost === 0 && picking.error === null ? undefined : (
                <Selection picking={picking} total={source.order?.total} onClear={() => select(NONE)} />
              )
            }
            before={twist}
          />
          <DataTable
            name="guests"
            label="Guests"
            columns={COLUMNS}
            source={heard(source)}
            sort={sort}
            onSort={(to) => change({ sort: to })}
            nameOf={nameOf}
            to={pathOf}
            stale={isStale}
            selected={selected}
            onSelect={select}
            menu={guestMenu}
            empty={<NothingFits what="guests" q={q} remotes={source.counts?.remotes} error={source.error} onClear={() => change({ q: '' })} />}
          />
        </div>
      </div>
      <Drawer opened={narrow && drawer} onClose={close} title="Remotes and nodes" size={300} classNames={{ body: classes.drawer }}>
        {tree}
      </Drawer>
    </Page>
  )
}

function isStale(row: Guest): boolean {
  return row.freshness !== 'live'
}
