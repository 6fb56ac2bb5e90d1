/** The nodes of a remote, as they are now. */
import { Skeleton, Table, Text } from '@mantine/core'
import type { Freshness, Node, Remote } from '~/api/types'
import { span } from '~/format/format'
import { useLiveList } from '~/live/hooks'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { Fresh, isStale } from '~/ui/Fresh'
import { Panel } from '~/ui/Panel'
import { NodeState } from '~/ui/State'
import { BytesUsed, Share } from '~/ui/Usage'
import { outOf } from '../decide'

const MOST = 200

export function Nodes({ remote }: { remote: Remote }) {
  const list = useLiveList({ of: 'nodes', q: `remote:${remote.id}`, offset: 0, limit: MOST })
  if (!list) return <Skeleton height={160} aria-label="The nodes are being read" />
  const nodes = list.order.map((id) => list.rows.get(id) as Node | undefined).filter((node) => node !== undefined)
  if (nodes.length === 0) {
    return (
      <Empty title={remote.counts.nodes == null ? 'Not known yet' : 'No nodes'}>
        {remote.counts.nodes == null ? 'What is on this remote was never listed; its link says why.' : 'The last listing named no node.'}
      </Empty>
    )
  }
  return (
    <Panel title="Nodes">
      <Table.ScrollContainer minWidth={720}>
        <Table aria-label="Nodes">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Guests running</Table.Th>
              <Table.Th>Processors</Table.Th>
              <Table.Th>Memory</Table.Th>
              <Table.Th>Up for</Table.Th>
              <Table.Th>Seen</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {nodes.map((node) => (
              <Table.Tr key={node.id}>
                <Table.Td>
                  <AnchorLink size="sm" className="name" to="/nodes/$remote/$node" params={{ remote: String(remote.id), node: node.name }}>
                    {node.name}
                  </AnchorLink>
                </Table.Td>
                <Table.Td>
                  <NodeState state={node.state} />
                </Table.Td>
                <Table.Td className="figures">{outOf(node.guests_running, node.guests)}</Table.Td>
                <Table.Td className={isStale(node) ? 'stale' : undefined}>
                  <Share share={node.cpu} label="processors in use" />
                </Table.Td>
                <Table.Td className={isStale(node) ? 'stale' : undefined}>
                  <BytesUsed used={node.memory} total={node.memory_max} />
                </Table.Td>
                <Table.Td className="figures">{span(node.uptime)}</Table.Td>
                <Table.Td>
                  <Fresh freshness={node as Freshness} observedAt={node.observed_at} through={node.through} why={node.stale_why} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {list.total > MOST && (
        <Text size="sm">
          <AnchorLink size="sm" to="/nodes" search={{ q: `remote:${remote.id}` }}>
            All {list.total} nodes
          </AnchorLink>
        </Text>
      )}
    </Panel>
  )
}
