/** All remotes: how each link fares, and how much is on each. */
import { Menu } from '@mantine/core'
import { IconServer } from '@tabler/icons-react'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ChipsOf } from '~/query/Chips'
import { ListBar } from '~/query/ListBar'
import { NothingFits } from '~/query/NothingFits'
import { useQuestion } from '~/query/question'
import { heard } from '~/query/refused'
import { useSession } from '~/shell/session'
import { DataTable } from '~/table/DataTable'
import { useRowsAtHand } from '~/table/sources'
import { has } from '~/api/session'
import { Act } from '~/ui/Blocked'
import { OpenInProxmoxItem } from '~/ui/OpenInProxmox'
import { Page } from '~/ui/Page'
import { COLUMNS } from './columns'
import { FirstRemote } from './FirstRemote'
import { type Row, useRemotes } from './useRemotes'

const CHIPS: readonly ChipsOf[] = [{ key: 'link', from: 'link', usual: ['connected', 'backing_off', 'disconnected'] }]
/** The order is the server's. */
const AS_TOLD = ''

export default function RemotesPage() {
  const { q, sort, change } = useQuestion('remotes', useSearch({ from: '/inside/remotes' }))
  const { query, rows, counts, total } = useRemotes(q, sort)
  const source = useRowsAtHand(rows, COLUMNS, AS_TOLD, {
    error: query.error,
    again: () => void query.refetch(),
    pending: query.isPlaceholderData,
  })
  const session = useSession()
  const navigate = useNavigate()
  const none = q === '' && total === 0
  return (
    <Page
      title="Remotes"
      full={!none}
      actions={
        !none && (
          <Act
            variant="filled"
            size="sm"
            forbidden={
              has(session, 'administrator', null)
                ? undefined
                : 'Adding a remote makes Muster dial an address of your choice: that needs the role administrator on all remotes.'
            }
            onClick={() => void navigate({ to: '/add-remote' })}
          >
            Add a remote
          </Act>
        )
      }
    >
      {none ? (
        <FirstRemote />
      ) : (
        <div style={{ display: 'flex', flexDirection: 'column', gap: 8, flex: 1, minHeight: 0 }}>
          <ListBar
            list="remotes"
            one="remote"
            q={q}
            sort={sort}
            onChange={change}
            columns={COLUMNS}
            total={query.isPlaceholderData ? undefined : total}
            counts={counts}
            error={query.error}
            chips={CHIPS}
          />
          <DataTable
            name="remotes"
            label="Remotes"
            columns={COLUMNS}
            source={heard(source)}
            sort={sort}
            onSort={(to) => change({ sort: to })}
            nameOf={(row) => row.name}
            to={pathOf}
            menu={menuOf}
            empty={<NothingFits what="remotes" q={q} remotes={counts?.remotes} error={query.error} onClear={() => change({ q: '' })} />}
          />
        </div>
      )}
    </Page>
  )
}

function pathOf(row: Row): string {
  return `/remotes/${row.number}`
}

function menuOf(row: Row) {
  return (
    <>
      <Menu.Label>
        <bdi className="name">{row.name}</bdi>
      </Menu.Label>
      <Menu.Item component={Link} to={pathOf(row)} leftSection={<IconServer size={16} />}>
        Open
      </Menu.Item>
      <OpenInProxmoxItem url={row.open_url} />
    </>
  )
}
