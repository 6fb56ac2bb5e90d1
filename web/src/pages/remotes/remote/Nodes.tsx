/** The nodes of a remote, as they are now. */
import { useState } from 'react'
import type { Node, Remote } from '~/api/types'
import { COLUMNS } from '~/pages/nodes/columns'
import { DataTable } from '~/table/DataTable'
import { useLiveRows } from '~/table/sources'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { Panel } from '~/ui/Panel'
import classes from '../remotes.module.css'

const OF_ONE = COLUMNS.filter((column) => column.id !== 'remote')

export function Nodes({ remote }: { remote: Remote }) {
  const q = `remote:${remote.id}`
  const [sort, setSort] = useState('')
  const source = useLiveRows('nodes', q, sort)
  return (
    <Panel
      title="Nodes"
      beside={
        <AnchorLink to="/nodes" search={{ q }} size="sm">
          In the list of nodes
        </AnchorLink>
      }
    >
      <div className={classes.table} style={{ '--rows': Math.max(3, source.order?.total ?? 3) } as React.CSSProperties}>
        <DataTable<Node>
          name="nodes-of"
          label="Nodes"
          columns={OF_ONE}
          source={source}
          sort={sort}
          onSort={setSort}
          nameOf={(row) => row.name}
          to={(row) => `/nodes/${row.remote_id}/${encodeURIComponent(row.name)}`}
          stale={(row) => row.freshness !== 'live'}
          empty={
            remote.counts.nodes == null ? (
              <Empty title="Not known yet">What is on this remote was never listed; its link says why.</Empty>
            ) : (
              <Empty title="No nodes">The last listing named no node.</Empty>
            )
          }
        />
      </div>
    </Panel>
  )
}
