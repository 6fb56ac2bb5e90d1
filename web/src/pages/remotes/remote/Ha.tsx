/** What the HA manager of a remote says, line by line. */
import { Table } from '@mantine/core'
import type { Remote } from '~/api/types'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { Panel } from '~/ui/Panel'
import { State, type Tone } from '~/ui/State'
import { guestOf } from '../decide'
import classes from '../remotes.module.css'

const TONE: Record<string, Tone> = { started: 'good', stopped: 'off', error: 'bad', fence: 'bad', freeze: 'warn', migrate: 'busy', relocate: 'busy' }

export function Ha({ remote }: { remote: Remote }) {
  const rows = remote.ha ?? []
  const facet = remote.coverage.find((row) => row.facet === 'ha_status')
  if (rows.length === 0) {
    return (
      <Empty title={facet?.last_success == null ? 'Not known yet' : 'Nothing is said'}>
        {facet?.last_success == null
          ? 'What the HA manager says was not read yet; the coverage says why.'
          : 'The HA manager of this remote says nothing: no guest is managed by it.'}
      </Empty>
    )
  }
  return (
    <Panel title="High availability">
      <Table.ScrollContainer minWidth={600}>
        <Table aria-label="High availability" className={remote.link.up ? undefined : 'stale'}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>What</Table.Th>
              <Table.Th>Node</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>In its words</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => {
              const vmid = guestOf(row.id)
              return (
                <Table.Tr key={row.id}>
                  <Table.Td className={`mono ${classes.whole}`}>
                    {vmid === undefined ? (
                      row.id
                    ) : (
                      <AnchorLink size="sm" to="/guests/$remote/$vmid" params={{ remote: String(remote.id), vmid }}>
                        {row.id}
                      </AnchorLink>
                    )}
                  </Table.Td>
                  <Table.Td className={`name ${classes.whole}`}>{row.node ?? ''}</Table.Td>
                  <Table.Td>{row.state && <State tone={TONE[row.state] ?? 'unknown'}>{row.state}</State>}</Table.Td>
                  <Table.Td className="name">{row.status ?? ''}</Table.Td>
                </Table.Tr>
              )
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  )
}
