/** What a guest is and does: use, addresses, what waits for a restart, charts, configuration, earlier lives. */
import { Alert, Group, Paper, Skeleton, Stack, Table, Text, Title } from '@mantine/core'
import { IconClockExclamation } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import type { GuestDetail } from '~/api/types'
import { Charts } from '~/charts/Charts'
import type { Span } from '~/charts/panels'
import { many } from '~/format/format'
import { DriftNote } from '~/ui/DriftNote'
import { Copy } from '~/ui/Id'
import { ProblemView } from '~/ui/Problem'
import { Ago } from '~/ui/Time'
import { ConfigCards } from './ConfigCards'
import { text } from './config'
import { haWords, presenceWords } from './words'
import { GuestMeters } from './GuestMeters'
import { type Parts, partsOf, reachable, waiting } from './parts'

interface OverviewProps {
  guest: GuestDetail
  looked: boolean
  span: Span
  choose: (span: Span) => void
}

export function Overview({ guest, looked, span, choose }: OverviewProps) {
  const parts = partsOf(guest)
  // The page has said above why nothing newer can be had.
  const said = !guest.link.up || guest.presence.is === 'deleted'
  const stale = guest.freshness === 'live' ? undefined : 'stale'
  const remote = String(guest.remote_id)
  return (
    <Stack gap="md">
      <DriftNote drift={parts.drift} />
      <Pending part={parts.pending} />
      <Paper withBorder p="sm" className={stale}>
        <GuestMeters guest={guest} status={parts.status} />
        {parts.status.error && !said && (
          <Text size="sm" className="quiet" mt="xs">
            Its status could not be read anew: {parts.status.error.sentence}
          </Text>
        )}
      </Paper>
      <Addresses guest={guest} part={parts.interfaces} said={said} looked={looked} stale={stale} />
      <Charts of={{ of: 'guest', remote, vmid: guest.vmid }} span={span} choose={choose} expected={5} stale={said} />
      <div className={stale}>
        <ConfigCards kind={guest.kind} part={parts.config} ha={haWords(guest.ha, parts.status)} looked={looked} said={said} />
      </div>
      <PastLives remote={remote} vmid={guest.vmid} />
    </Stack>
  )
}

/** What was changed and waits for a restart. */
function Pending({ part }: { part: Parts['pending'] }) {
  const rows = waiting(part.seen?.value ?? [])
  if (rows.length === 0) return null
  return (
    <Alert color="yellow" variant="light" icon={<IconClockExclamation size={18} />} title={`${many(rows.length, 'change')} ${rows.length === 1 ? 'waits' : 'wait'} for a restart`}>
      <Table.ScrollContainer minWidth={320}>
        <Table aria-label="Pending changes">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Key</Table.Th>
              <Table.Th>Now</Table.Th>
              <Table.Th>After a restart</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={text(row.key)}>
                <Table.Td className="mono">{text(row.key)}</Table.Td>
                <Table.Td className="mono">{row.value == null ? 'not set' : text(row.value)}</Table.Td>
                <Table.Td className="mono">{row.pending == null ? 'removed' : text(row.pending)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Alert>
  )
}

interface AddressesProps {
  guest: GuestDetail
  part: Parts['interfaces']
  said: boolean
  looked: boolean
  stale: string | undefined
}

function Addresses({ guest, part, said, looked, stale }: AddressesProps) {
  const interfaces = reachable(part.seen?.value ?? [])
  return (
    <Paper withBorder p="sm" component="section" aria-label="Addresses">
      <Title order={2} size="h3" mb={4}>
        Addresses
      </Title>
      {interfaces.length > 0 ? (
        <Stack gap={4} className={stale ?? (part.error ? 'stale' : undefined)}>
          {interfaces.map((one) => (
            <Group key={one.name} gap="sm">
              <Text size="sm" className="quiet name" miw={60}>
                {one.name}
              </Text>
              {one.addresses.length === 0 && (
                <Text size="sm" className="quiet">
                  none
                </Text>
              )}
              {one.addresses.map((address) => (
                <Group key={address} gap={0} wrap="nowrap">
                  <Text size="sm" className="mono">
                    {address}
                  </Text>
                  <Copy text={address.replace(/\/.*$/, '')} what={`address ${address}`} />
                </Group>
              ))}
              {one.mac && (
                <Text size="xs" className="quiet mono">
                  {one.mac}
                </Text>
              )}
            </Group>
          ))}
        </Stack>
      ) : !looked && !part.seen ? (
        <Skeleton height={22} />
      ) : (
        <Text size="sm" className="quiet">
          {part.seen ? 'It has none.' : guest.word === 'running' || part.error ? 'None are known.' : 'None are known: it does not run.'}
        </Text>
      )}
      {part.error && !said && (
        <Text size="sm" className="quiet" mt={4}>
          {part.seen && (
            <>
              As read <Ago at={part.seen.at} />.{' '}
            </>
          )}
          {part.error.sentence}
        </Text>
      )}
    </Paper>
  )
}

/** Guests that had the same number before. */
export function PastLives({ remote, vmid }: { remote: string; vmid: number }) {
  const asked = useQuery({
    queryKey: ['past', remote, vmid],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/guests/{remote}/{vmid}/past', { params: { path: { remote, vmid } }, signal })),
    staleTime: 60_000,
  })
  if (asked.isError) return <ProblemView error={asked.error} title="Earlier lives of this number could not be read" again={() => void asked.refetch()} />
  if (!asked.data || (asked.data.total === 0 && !asked.data.unreadable)) return null
  return (
    <section aria-label="Earlier lives">
      <Title order={2} mb={4}>
        Earlier lives
      </Title>
      <Text size="sm" className="quiet" mb="xs">
        This number belonged to other guests before. What happened to them stays in the history.
        {asked.data.unreadable ? ` ${asked.data.unreadable} more cannot be read any more.` : ''}
      </Text>
      <Table.ScrollContainer minWidth={420}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th>Kind</Table.Th>
              <Table.Th>Node</Table.Th>
              <Table.Th>Last seen</Table.Th>
              <Table.Th>End</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {asked.data.items.map((life) => (
              <Table.Tr key={life.id}>
                <Table.Td className="name">{life.name ?? life.vmid}</Table.Td>
                <Table.Td>{life.row ? (life.row.kind === 'ct' ? 'container' : 'virtual machine') : 'unknown'}</Table.Td>
                <Table.Td className="name">{life.row?.node ?? 'unknown'}</Table.Td>
                <Table.Td>
                  <Ago at={life.last_seen} />
                </Table.Td>
                <Table.Td>{life.presence ? presenceWords(life.presence) : 'unknown'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </section>
  )
}
