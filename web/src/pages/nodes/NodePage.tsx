/** One node: how it stands and what it uses, its guests, its tasks. */
import { Alert, Group, Paper, Stack, Tabs, Text, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconServer2 } from '@tabler/icons-react'
import { getRouteApi } from '@tanstack/react-router'
import { useCallback } from 'react'
import type { NodeDetail, Task } from '~/api/types'
import { Charts } from '~/charts/Charts'
import { type Span, spanOf } from '~/charts/panels'
import { bytes, DASH, percent, span as spanText } from '~/format/format'
import { quoted } from '~/query/terms'
import { TaskList } from '~/tasks/TaskList'
import { useTasksOf } from '~/tasks/useTasksOf'
import { AnchorLink } from '~/ui/AnchorLink'
import { DetailFailed, DetailLoading } from '~/ui/DetailStates'
import { DriftNote } from '~/ui/DriftNote'
import { Facts } from '~/ui/Facts'
import { Fresh, isStale } from '~/ui/Fresh'
import { Copy } from '~/ui/Id'
import { LinkNotice } from '~/ui/LinkNotice'
import { Meter, Meters } from '~/ui/Meter'
import { OpenInProxmox } from '~/ui/OpenInProxmox'
import { ProblemView } from '~/ui/Problem'
import { NodeState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { BytesUsed, Share } from '~/ui/Usage'
import { GuestTable } from './GuestTable'
import { nodeStatus } from './status'
import { useNode } from './useNode'

const route = getRouteApi('/inside/nodes/$remote/$node')

const TABS = ['overview', 'guests', 'tasks'] as const

export default function NodePage() {
  const { remote, node } = route.useParams()
  return <Known key={`${remote}/${node}`} remote={remote} name={node} />
}

function Known({ remote, name }: { remote: string; name: string }) {
  const { node, error, again, looked } = useNode(remote, name)
  useDocumentTitle(`${name} · Muster`)
  if (!node) {
    return error ? (
      <DetailFailed error={error} again={again} title={`Node ${name}`} what="node" all={<AnchorLink to="/nodes">All nodes</AnchorLink>} />
    ) : (
      <DetailLoading />
    )
  }
  return (
    <Stack gap="md" p={{ base: 'sm', sm: 'md' }}>
      <Header node={node} />
      {error && <ProblemView error={error} title="What is shown could not be read anew" again={again} />}
      <LinkNotice link={node.link} remote={node.remote} id={node.remote_id} />
      {node.word === 'offline' && node.link.up && (
        <Alert color="red" variant="light" role="status" title="The node is down">
          <Text size="sm">
            The rest of <bdi>{node.remote}</bdi> says so. What its guests do is not known; what is shown of it was seen <Ago at={node.observed_at} />.
          </Text>
        </Alert>
      )}
      <Body node={node} looked={looked} />
    </Stack>
  )
}

function Header({ node }: { node: NodeDetail }) {
  const remote = String(node.remote_id)
  const id = `${node.remote}/${node.name}`
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between" align="flex-start">
        <Group gap="sm" style={{ minWidth: 0 }}>
          <IconServer2 size={22} stroke={1.6} aria-hidden />
          <Title order={1} className="name" lineClamp={3}>
            {node.name}
          </Title>
          <NodeState state={node.word} />
          <Fresh freshness={node} observedAt={node.observed_at} through={node.through} why={node.stale_why} />
        </Group>
        <OpenInProxmox url={node.open_url} />
      </Group>
      <Group gap="4px 14px">
        <Text component="span" size="sm">
          Node of{' '}
          <AnchorLink to="/remotes/$remote" params={{ remote }} className="name" underline="always">
            {node.remote}
          </AnchorLink>
        </Text>
        <span>
          <span className="mono name">{id}</span>
          <Copy text={id} what="id" />
        </span>
        <Text component="span" size="sm" className="quiet">
          {node.version ?? 'version unknown'}
        </Text>
      </Group>
    </Stack>
  )
}

function Body({ node, looked }: { node: NodeDetail; looked: boolean }) {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const tab = TABS.find((one) => one === search.tab) ?? 'overview'
  const change = (to: Partial<typeof search>) => void navigate({ search: (had) => ({ ...had, ...to }), replace: true, resetScroll: false })
  const q = `remote:${node.remote_id} node:${quoted(node.name)}`
  return (
    <Tabs value={tab} onChange={(value) => change({ tab: value === 'overview' ? undefined : (value ?? undefined) })} keepMounted={false}>
      <Tabs.List aria-label="Parts of this page" mb="md">
        <Tabs.Tab value="overview">Overview</Tabs.Tab>
        <Tabs.Tab value="guests">Guests{node.guests === undefined ? '' : ` (${node.guests})`}</Tabs.Tab>
        <Tabs.Tab value="tasks">Tasks</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="overview">
        <Overview node={node} looked={looked} span={spanOf(search.span)} choose={(span) => change({ span: span === 'hour' ? undefined : span })} />
      </Tabs.Panel>
      <Tabs.Panel value="guests">
        <GuestTable q={q} without={['remote', 'node']} sort={search.sort ?? ''} onSort={(sort) => change({ sort: sort || undefined })} />
      </Tabs.Panel>
      <Tabs.Panel value="tasks">
        <Tasks q={q} remote={node.remote_id} node={node.name} link={node.link} />
      </Tabs.Panel>
    </Tabs>
  )
}

function Tasks({ q, remote, node, link }: { q: string; remote: number; node: string; link: NodeDetail['link'] }) {
  const asked = useTasksOf(q)
  const mine = useCallback((task: Task) => task.remote_id === remote && task.node === node, [remote, node])
  return <TaskList asked={asked} mine={mine} guests link={link} />
}

function Overview({ node, looked, span, choose }: { node: NodeDetail; looked: boolean; span: Span; choose: (span: Span) => void }) {
  const part = node.status
  const said = nodeStatus(part.seen?.value)
  const of = node.cpus == null ? undefined : `${node.cpus} ${node.cpus === 1 ? 'processor' : 'processors'}`
  const load = said.load ?? (node.load.length > 0 ? node.load : undefined)
  const stale = isStale(node) ? 'stale' : undefined
  return (
    <Stack gap="md">
      <DriftNote drift={node.drift ?? []} />
      <Paper withBorder p="sm" className={stale}>
        <Meters>
          <Meter name={of ? `CPU, of ${of}` : 'CPU'}>
            <Share share={node.cpu} label={node.cpu == null ? undefined : `${percent(node.cpu)}${of ? ` of ${of}` : ''}`} />
          </Meter>
          <Meter name={`Memory, of ${bytes(node.memory_max)}`}>
            <BytesUsed used={node.memory} total={node.memory_max} />
          </Meter>
          <Meter name={`Root disk, of ${bytes(node.disk_max)}`}>
            <BytesUsed used={node.disk} total={node.disk_max} />
          </Meter>
          {said.swap.total !== undefined && said.swap.total > 0 && (
            <Meter name={`Swap, of ${bytes(said.swap.total)}`}>
              <BytesUsed used={said.swap.used} total={said.swap.total} />
            </Meter>
          )}
          <Meter name="Load (1, 5, 15 min)">
            <span className="figures">{load?.join('  ') ?? DASH}</span>
          </Meter>
          <Meter name="Running for">
            <span className="figures">{node.uptime ? spanText(node.uptime) : DASH}</span>
          </Meter>
        </Meters>
      </Paper>
      <Charts of={{ of: 'node', remote: String(node.remote_id), node: node.name }} span={span} choose={choose} expected={6} stale={!node.link.up} />
      <section aria-label="System">
        <Title order={2} mb="xs">
          System
        </Title>
        <Paper withBorder p="md" className={stale}>
          <Facts
            facts={[
              { name: 'Proxmox VE', value: said.version ?? node.version ?? DASH },
              { name: 'Kernel', value: said.kernel ?? DASH },
              { name: 'Processor', value: said.processor ?? DASH },
              { name: 'Processors', value: said.processors ?? of ?? DASH },
              said.boot !== undefined && { name: 'Boots with', value: said.boot },
              { name: 'Waiting for I/O', value: percent(said.wait) },
              said.shared !== undefined && said.shared > 0 && { name: 'Memory shared (KSM)', value: bytes(said.shared) },
              { name: 'Guests', value: node.guests === undefined ? DASH : `${node.guests}, ${node.guests_running ?? 'an unknown number'} running` },
              { name: 'Certificate ends', value: <Ago at={node.certificate_ends} /> },
            ]}
          />
          {part.error && node.link.up && (
            <Text size="sm" className="quiet" mt="sm">
              {part.seen ? (
                <>
                  As read <Ago at={part.seen.at} />. Not newer: {part.error.sentence}
                </>
              ) : (
                <>It could not be asked for more: {part.error.sentence}</>
              )}
            </Text>
          )}
          {!looked && !part.seen && (
            <Text size="sm" className="quiet" mt="sm" role="status">
              The node is being asked for more.
            </Text>
          )}
        </Paper>
      </section>
    </Stack>
  )
}
