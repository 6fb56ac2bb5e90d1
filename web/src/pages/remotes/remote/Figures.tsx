/** What there is on a remote, as far as it is known: a dash is unknown, never nothing. */
import { Text } from '@mantine/core'
import type { Remote } from '~/api/types'
import { bytes, count } from '~/format/format'
import { Unknown } from '~/table/cells'
import { AnchorLink } from '~/ui/AnchorLink'
import { Facts } from '~/ui/Facts'
import { Panel } from '~/ui/Panel'
import { Ago } from '~/ui/Time'
import { outOf, versions } from '../decide'

export function Figures({ remote }: { remote: Remote }) {
  const { counts, traffic, cluster } = remote
  const q = `remote:${remote.id}`
  const unknown = counts.guests_unknown ?? 0
  return (
    <Panel title="What there is">
      <div className={remote.link.up ? undefined : 'stale'}>
        <Facts
          inRows
          facts={[
            { name: 'Kind', value: cluster ? (cluster.value.name ? `cluster ${cluster.value.name}` : 'stand-alone host') : <Unknown why="Not known" /> },
            { name: 'Quorum', value: <Quorum remote={remote} /> },
            { name: 'Proxmox VE', value: versions(remote.versions ?? {}).join(', ') || <Unknown why="Not known" /> },
            { name: 'Nodes online', value: <AnchorLink size="sm" to="/nodes" search={{ q }}>{outOf(counts.nodes_online, counts.nodes)}</AnchorLink> },
            {
              name: 'Guests running',
              value: <span>
                <AnchorLink size="sm" to="/guests" search={{ q }}>
                  {outOf(counts.guests_running, counts.guests)}
                </AnchorLink>
                {unknown > 0 && (
                  <Text span size="sm" className="quiet">
                    {' '}
                    ({count(unknown)} in an unknown state)
                  </Text>
                )}
              </span>,
            },
            { name: 'Storages', value: <AnchorLink size="sm" to="/storages" search={{ q }}>{count(counts.storages)}</AnchorLink> },
            { name: 'Tasks running', value: <TasksRunning remote={remote} /> },
            { name: 'Operations open', value: <AnchorLink size="sm" to="/operations" search={{ q: `${q} status:open` }}>{count(counts.operations_open)}</AnchorLink> },
            { name: 'Asked of it', value: `${count(traffic.requests_per_minute)} requests and ${bytes(traffic.bytes_per_minute)} in the last minute` },
            { name: 'Added', value: <Ago at={remote.created} /> },
          ]}
        />
      </div>
      {!remote.link.up && (
        <Text size="sm" className="quiet">
          As last known; what runs now is not known while the link is down.
        </Text>
      )}
    </Panel>
  )
}

function Quorum({ remote: { cluster } }: { remote: Remote }) {
  const quorate = cluster?.value.quorate
  if (quorate == null) return cluster && !cluster.value.name ? <span className="quiet">does not apply</span> : <Unknown why="Not known" />
  return quorate ? <>yes</> : <Text span size="sm" c="var(--muster-bad)">no: nothing can be changed on it</Text>
}

/** While the link is down nobody knows how many still run. */
function TasksRunning({ remote: { id, counts, link } }: { remote: Remote }) {
  if (counts.tasks_running == null) return <span className="quiet">{link.up ? 'not known yet' : 'not known while the link is down'}</span>
  return (
    <AnchorLink size="sm" to="/tasks" search={{ q: `remote:${id} status:running` }}>
      {count(counts.tasks_running)}
    </AnchorLink>
  )
}
