/** What runs here and how it fares: version, store, what is kept, processes, what it is made of. */
import { Alert, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import type { Schemas } from '~/api/types'
import { bytes, count, exact, many, span, words } from '~/format/format'
import { useSession } from '~/shell/session'
import { Button } from '~/ui/Button'
import { Facts } from '~/ui/Facts'
import { Id } from '~/ui/Id'
import { ProblemView } from '~/ui/Problem'
import { State } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { keptFor } from './kept'
import { Licences } from './Licences'

type System = Schemas['System']

export function AboutTab({ governs }: { governs: boolean }) {
  const session = useSession()
  const system = useQuery({
    queryKey: ['system'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/system', { signal })),
    enabled: governs,
    // It reads the whole database: only when somebody wants it.
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  })
  return (
    <Stack gap="lg">
      <Part title="Muster">
        <Facts
          facts={[
            { name: 'Version', value: session.version },
            { name: 'Installation', value: <Id text={session.instance} what="the installation’s id" /> },
            system.data && { name: 'Started', value: <Ago at={system.data.started} /> },
            system.data && { name: 'Reached at', value: <span className="name">{system.data.reached_at}</span> },
            { name: 'Licence', value: 'MIT or Apache 2.0' },
          ]}
        />
        {!governs && (
          <Text size="sm" className="quiet">
            How the server itself fares is told to administrators of everything.
          </Text>
        )}
      </Part>
      {system.error && <ProblemView error={system.error} again={() => void system.refetch()} />}
      {governs && !system.data && !system.error && <Skeleton h={320} aria-label="Loading" />}
      {system.data && <Fares system={system.data} told={system.dataUpdatedAt} again={() => void system.refetch()} asking={system.isFetching} />}
      <Licences />
    </Stack>
  )
}

function Part({ title, beside, children }: { title: string; beside?: React.ReactNode; children: React.ReactNode }) {
  return (
    <Stack gap="xs" component="section">
      <Group justify="space-between">
        <Title order={2}>{title}</Title>
        {beside}
      </Group>
      {children}
    </Stack>
  )
}

function Fares({ system, told, again, asking }: { system: System; told: number; again: () => void; asking: boolean }) {
  const { store } = system
  return (
    <>
      {system.warnings?.map((warning) => (
        <Alert key={warning} color="yellow" role="status" icon={<IconAlertTriangle size={18} />}>
          {warning}
        </Alert>
      ))}
      <Part
        title="At present"
        beside={
          <Button size="compact-sm" variant="default" onClick={again} loading={asking}>
            Look again
          </Button>
        }
      >
        <Facts
          facts={[
            { name: 'Remotes', value: count(system.remotes) },
            { name: 'Guests', value: count(system.guests) },
            { name: 'Sessions', value: count(system.sessions) },
            { name: 'Live streams', value: count(system.streams) },
            { name: 'Memory', value: bytes(system.resident_bytes) },
            { name: 'Its clock', value: <Clock at={system.now} told={told} /> },
          ]}
        />
      </Part>
      <Part title="Store">
        <Facts
          facts={[
            { name: 'Database', value: <span className="name">{system.database?.place ? `${store.engine}, ${system.database.place}` : store.engine}</span> },
            { name: 'Data directory', value: <span className="name">{system.data_directory ?? 'none'}</span> },
            { name: 'Size', value: bytes(store.bytes) },
            { name: 'Schema', value: store.schema },
            { name: 'Written since the start', value: `${count(store.writes)} in ${many(store.commits ?? 0, 'commit')}` },
            { name: 'Waiting to be written', value: count(store.queued) },
            { name: 'Sealing keys', value: <span className="mono">{store.keys?.join(', ') ?? '–'}</span> },
          ]}
        />
      </Part>
      {(store.sizes?.length ?? 0) > 0 && (
        <Part title="What is kept">
          <Kept sizes={store.sizes ?? []} retention={system.retention ?? []} />
        </Part>
      )}
      {(system.processes?.length ?? 0) > 0 && (
        <Part title="Processes">
          <Processes processes={system.processes ?? []} />
        </Part>
      )}
    </>
  )
}

/** Its difference to the browser's own clock, where that is worth a word. */
function Clock({ at, told }: { at: string; told: number }) {
  const off = (Date.parse(at) - told) / 1000
  return (
    <>
      {exact(Date.parse(at))}
      {Math.abs(off) > 120 && ` (${span(Math.abs(off))} ${off > 0 ? 'ahead of' : 'behind'} this machine’s)`}
    </>
  )
}

/** Words and figures are not broken, however narrow the screen is. */
const WHOLE = { whiteSpace: 'nowrap' } as const

/** How large each kind of record is, and for how long it stays. */
function Kept({ sizes, retention }: { sizes: Schemas['StoreSize'][]; retention: Schemas['Retention'][] }) {
  const names = [...new Set([...retention.map(({ name }) => name), ...sizes.map(({ name }) => name)])]
  return (
    <Table maw={680} aria-label="What is kept">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Kind</Table.Th>
          <Table.Th ta="end">Rows</Table.Th>
          <Table.Th ta="end">Size</Table.Th>
          <Table.Th>Kept for</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody className="figures">
        {names.map((name) => {
          const size = sizes.find((one) => one.name === name)
          const kept = retention.find((one) => one.name === name)
          return (
            <Table.Tr key={name}>
              <Table.Td style={WHOLE}>{words(name)}</Table.Td>
              <Table.Td ta="end" style={WHOLE}>
                {count(size?.rows)}
              </Table.Td>
              <Table.Td ta="end" style={WHOLE}>
                {bytes(size?.bytes)}
              </Table.Td>
              <Table.Td>{keptFor(name, kept)}</Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Table>
  )
}

function Processes({ processes }: { processes: Schemas['Process'][] }) {
  return (
    <Table maw={820} aria-label="Processes">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Process</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th ta="end">Remotes</Table.Th>
          <Table.Th>Started</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {processes.map((one) => (
          <Table.Tr key={one.name}>
            <Table.Td className="name">
              {one.name}
              {one.this && ' (this one)'}
              {one.address && (
                <Text size="xs" className="quiet">
                  {one.address}
                </Text>
              )}
            </Table.Td>
            <Table.Td>
              <State tone={one.alive ? 'good' : 'bad'}>{one.alive ? 'alive' : 'gone'}</State>
              <Text size="xs" className="quiet">
                seen <Ago at={one.seen} />
              </Text>
            </Table.Td>
            <Table.Td ta="end">{count(one.remotes)}</Table.Td>
            <Table.Td>
              <Ago at={one.started} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
