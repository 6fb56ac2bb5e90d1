/** One storage: how full it is on each node that has it, what lies there, whose it is, what was done with it. */
import { Alert, Group, Paper, Select, Stack, Table, Tabs, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconDatabase } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useCallback } from 'react'
import { api, unwrap } from '~/api/client'
import type { Storage, StorageDetail, Task } from '~/api/types'
import { Charts } from '~/charts/Charts'
import { spanOf } from '~/charts/panels'
import { bytes, DASH } from '~/format/format'
import { useLink } from '~/live/hooks'
import { quoted } from '~/query/terms'
import { TaskList } from '~/tasks/TaskList'
import { useTasksOf } from '~/tasks/useTasksOf'
import { AnchorLink } from '~/ui/AnchorLink'
import { DetailFailed, DetailLoading } from '~/ui/DetailStates'
import { DriftNote } from '~/ui/DriftNote'
import { Fresh } from '~/ui/Fresh'
import { Copy } from '~/ui/Id'
import { LinkNotice } from '~/ui/LinkNotice'
import { OpenInProxmox } from '~/ui/OpenInProxmox'
import { ProblemView } from '~/ui/Problem'
import { BytesUsed } from '~/ui/Usage'
import { StorageState } from './columns'
import { Contents } from './Contents'
import { GuestsThere } from './GuestsThere'
import { guestsText } from './kinds'

const route = getRouteApi('/inside/storages/$remote/$storage')

const TABS = ['overview', 'guests', 'tasks'] as const
/** What lies there is asked for anew by the server every half a minute at most. */
const AGAIN_MS = 30_000

export default function StoragePage() {
  const { remote, storage } = route.useParams()
  return <Known key={`${remote}/${storage}`} remote={remote} name={storage} />
}

function Known({ remote, name }: { remote: string; name: string }) {
  useDocumentTitle(`${name} · Muster`)
  const path = { remote, storage: name }
  const known = useQuery({
    queryKey: ['storage', remote, name, 'known'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/storages/{remote}/{storage}', { params: { path, query: { look: false } }, signal })),
    staleTime: 0,
  })
  const looked = useQuery({
    queryKey: ['storage', remote, name, 'looked'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/storages/{remote}/{storage}', { params: { path }, signal })),
    // Once it is known that it is there, it goes on being asked for, whatever a later answer says.
    enabled: known.data !== undefined,
    refetchInterval: AGAIN_MS,
    staleTime: 0,
  })
  const detail = looked.data ?? known.data
  const told = useLink(detail?.remote_id)
  const error = known.error ?? looked.error
  const again = () => {
    void known.refetch()
    void looked.refetch()
  }
  if (!detail) {
    return error ? (
      <DetailFailed error={error} again={again} title={`Storage ${name}`} what="storage" all={<AnchorLink to="/storages">All storages</AnchorLink>} />
    ) : (
      <DetailLoading />
    )
  }
  const link = told?.link ?? detail.link
  return (
    <Stack gap="md" p={{ base: 'sm', sm: 'md' }}>
      <Header storage={detail} />
      {error && <ProblemView error={error} title="What is shown could not be read anew" again={again} />}
      <LinkNotice link={link} remote={detail.remote} id={detail.remote_id} />
      <Body storage={detail} up={link.up} asked={looked.data !== undefined || looked.isError} failed={looked.error} />
    </Stack>
  )
}

function Header({ storage }: { storage: StorageDetail }) {
  const remote = String(storage.remote_id)
  const [first] = storage.storages
  const id = `${storage.remote}/${storage.name}`
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between" align="flex-start">
        <Group gap="sm" style={{ minWidth: 0 }}>
          <IconDatabase size={22} stroke={1.6} aria-hidden />
          <Title order={1} className="name" lineClamp={3}>
            {storage.name}
          </Title>
          {storage.storages.length === 1 && first && <Fresh freshness={first} observedAt={first.observed_at} why={first.stale_why} />}
        </Group>
        <OpenInProxmox url={storage.open_url} />
      </Group>
      <Group gap="4px 14px">
        <Text component="span" size="sm">
          {first?.plugin ?? 'Storage'} on{' '}
          <AnchorLink to="/remotes/$remote" params={{ remote }} className="name" underline="always">
            {storage.remote}
          </AnchorLink>
          {first?.shared === true ? ', shared' : first?.shared === false && storage.storages.length > 1 ? ', each node has its own' : ''}
        </Text>
        <span>
          <span className="mono name">{id}</span>
          <Copy text={id} what="id" />
        </span>
        {first && first.content.length > 0 && (
          <Text component="span" size="sm" className="quiet">
            for {first.content.join(', ')}
          </Text>
        )}
      </Group>
    </Stack>
  )
}

interface BodyProps {
  storage: StorageDetail
  up: boolean
  /** Whether its nodes have been asked, well or not. */
  asked: boolean
  /** Why they could not be asked. */
  failed: unknown
}

function Body({ storage, up, asked, failed }: BodyProps) {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const tab = TABS.find((one) => one === search.tab) ?? 'overview'
  const change = (to: Partial<typeof search>) => void navigate({ search: (had) => ({ ...had, ...to }), replace: true, resetScroll: false })
  const several = storage.storages.length > 1
  const node = several ? (storage.storages.find((one) => one.node === search.node)?.node ?? storage.storages[0]?.node) : undefined
  return (
    <Tabs value={tab} onChange={(value) => change({ tab: value === 'overview' ? undefined : (value ?? undefined) })} keepMounted={false}>
      <Tabs.List aria-label="Parts of this page" mb="md">
        <Tabs.Tab value="overview">Overview</Tabs.Tab>
        <Tabs.Tab value="guests">Guests{asked ? guestsText(storage, failed) : ''}</Tabs.Tab>
        <Tabs.Tab value="tasks">Tasks</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="overview">
        <Stack gap="md">
          <DriftNote drift={storage.drift ?? []} />
          {storage.storages.length === 0 ? (
            <Alert color="gray" variant="light">
              No node is known to have it.
            </Alert>
          ) : (
            <Places storages={storage.storages} />
          )}
          {several && (
            <Select
              size="xs"
              label="Charts of"
              data={storage.storages.map((one) => one.node)}
              value={node ?? null}
              onChange={(value) => change({ node: value ?? undefined })}
              allowDeselect={false}
              w={220}
            />
          )}
          <Charts
            of={{ of: 'storage', remote: String(storage.remote_id), storage: storage.name, node }}
            span={spanOf(search.span)}
            choose={(span) => change({ span: span === 'hour' ? undefined : span })}
            expected={1}
            stale={!up}
          />
          <Contents contents={storage.contents ?? []} asked={asked} leftOut={storage.nodes_not_asked ?? 0} />
        </Stack>
      </Tabs.Panel>
      <Tabs.Panel value="guests">
        <GuestsThere storage={storage} asked={asked} failed={failed} />
      </Tabs.Panel>
      <Tabs.Panel value="tasks">
        <Tasks storage={storage} />
      </Tabs.Panel>
    </Tabs>
  )
}

/** How full it is, on each node that has it to itself. */
function Places({ storages }: { storages: readonly Storage[] }) {
  return (
    <Paper withBorder p="xs">
      <Table.ScrollContainer minWidth={480}>
        <Table aria-label="On its nodes">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Node</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Used</Table.Th>
              <Table.Th>Of</Table.Th>
              <Table.Th>Seen</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {storages.map((one) => (
              <Table.Tr key={one.id} className={one.freshness === 'live' ? undefined : 'stale'}>
                <Table.Td>
                  <Group gap={8}>
                    {one.nodes.map((node) => (
                      <AnchorLink key={node} to="/nodes/$remote/$node" params={{ remote: String(one.remote_id), node }} size="sm" className="name">
                        {node}
                      </AnchorLink>
                    ))}
                  </Group>
                </Table.Td>
                <Table.Td>
                  <StorageState storage={one} />
                </Table.Td>
                <Table.Td style={{ minWidth: 150 }}>
                  <BytesUsed used={one.used} total={one.size} />
                </Table.Td>
                <Table.Td className="figures">{one.size == null ? DASH : bytes(one.size)}</Table.Td>
                <Table.Td>
                  <Fresh freshness={one} observedAt={one.observed_at} why={one.stale_why} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  )
}

/** Few tasks say which storage they work on: those that delete or prune what lies there. */
function Tasks({ storage }: { storage: StorageDetail }) {
  const { remote_id: remote, name } = storage
  const asked = useTasksOf(`remote:${remote} storage:${quoted(name)}`)
  const mine = useCallback((task: Task) => task.remote_id === remote && task.storage === name, [remote, name])
  return (
    <Stack gap="xs">
      <TaskList asked={asked} mine={mine} guests />
      <Text size="sm" className="quiet">
        Of deletions and prunings alone Proxmox VE tells on which storage they work.
      </Text>
    </Stack>
  )
}
