/** The guests that have something on a storage. */
import { Skeleton, Stack, Table, Text } from '@mantine/core'
import type { StorageDetail } from '~/api/types'
import { bytes, DASH } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { GuestState } from '~/ui/State'
import { kindOf, unlisted } from './kinds'

interface GuestsThereProps {
  storage: StorageDetail
  asked: boolean
  /** Why its nodes could not be asked. */
  failed: unknown
}

export function GuestsThere({ storage, asked, failed }: GuestsThereProps) {
  const guests = storage.guests ?? []
  if (guests.length === 0) {
    const why = unlisted(storage, failed)
    return why !== undefined && asked ? (
      <Empty title="Of no guest it is known that it has anything here">{why}</Empty>
    ) : asked ? (
      <Empty title="No guest has anything here">By what was listed, and by the guests’ configurations.</Empty>
    ) : (
      <Stack gap={6} role="status" aria-label="Loading">
        {Array.from({ length: 6 }, (_, line) => (
          <Skeleton key={line} height={26} />
        ))}
      </Stack>
    )
  }
  const total = storage.guests_total ?? guests.length
  return (
    <Stack gap="xs">
      <Table.ScrollContainer minWidth={560}>
        <Table highlightOnHover aria-label="Guests">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>ID</Table.Th>
              <Table.Th>Node</Table.Th>
              <Table.Th>What it has here</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {guests.map((guest) => (
              <Table.Tr key={guest.id} className={guest.freshness === 'live' ? undefined : 'stale'}>
                <Table.Td>
                  <AnchorLink to="/guests/$remote/$vmid" params={{ remote: String(guest.remote_id), vmid: String(guest.vmid) }} size="sm" className="name" lineClamp={2}>
                    {guest.name ?? guest.vmid}
                  </AnchorLink>
                </Table.Td>
                <Table.Td>
                  <GuestState word={guest.word} />
                </Table.Td>
                <Table.Td className="figures">{guest.vmid}</Table.Td>
                <Table.Td>
                  <AnchorLink to="/nodes/$remote/$node" params={{ remote: String(guest.remote_id), node: guest.node }} size="sm" className="name">
                    {guest.node}
                  </AnchorLink>
                </Table.Td>
                <Table.Td>
                  {guest.has.length > 0
                    ? guest.has.map((kind) => `${kindOf(kind.content)}: ${kind.volumes} (${kind.bytes == null ? DASH : bytes(kind.bytes)})`).join(', ')
                    : guest.configured
                      ? 'a disk, by its configuration'
                      : DASH}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {total > guests.length && (
        <Text size="sm" className="quiet">
          {guests.length} of {total}.
        </Text>
      )}
      {unlisted(storage, failed) && (
        <Text size="sm" className="quiet">
          {unlisted(storage, failed)}
        </Text>
      )}
    </Stack>
  )
}
