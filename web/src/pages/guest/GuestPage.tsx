/** One guest: what it is, how it stands and how sure that is, what may be done with it, what was done and what happened. */
import { Select, Stack, Tabs } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useCallback } from 'react'
import { api, unwrap } from '~/api/client'
import type { GuestDetail, Task } from '~/api/types'
import { spanOf } from '~/charts/panels'
import { kinds } from '~/events/kinds'
import { Timeline } from '~/events/Timeline'
import { NoSuchPage } from '~/shell/NoSuchPage'
import { TaskList } from '~/tasks/TaskList'
import { AnchorLink } from '~/ui/AnchorLink'
import { DetailFailed, DetailLoading } from '~/ui/DetailStates'
import { LinkNotice } from '~/ui/LinkNotice'
import { ProblemView } from '~/ui/Problem'
import { Header } from './Header'
import { Overview, PastLives } from './Overview'
import { useGuest } from './useGuest'

const route = getRouteApi('/inside/guests/$remote/$vmid')

const TABS = ['overview', 'tasks', 'events'] as const
type Tab = (typeof TABS)[number]

export default function GuestPage() {
  const { remote, vmid } = route.useParams()
  const number = Number(vmid)
  return Number.isInteger(number) && number >= 0 ? <Known key={`${remote}/${vmid}`} remote={remote} vmid={number} /> : <NoSuchPage />
}

function Known({ remote, vmid }: { remote: string; vmid: number }) {
  const { guest, error, again, looked } = useGuest(remote, vmid)
  useDocumentTitle(`${guest?.name ?? `${remote}/${vmid}`} · Muster`)
  if (guest) {
    return (
      <Stack gap="md" p={{ base: 'sm', sm: 'md' }}>
        <Header guest={guest} />
        {error && <ProblemView error={error} title="What is shown could not be read anew" again={again} />}
        <LinkNotice link={guest.link} remote={guest.remote} id={guest.remote_id} />
        <Body guest={guest} looked={looked} />
      </Stack>
    )
  }
  if (!error) return <DetailLoading />
  return <DetailFailed error={error} again={again} title={`Guest ${remote}/${vmid}`} what="guest" all={<AnchorLink to="/guests">All guests</AnchorLink>} />
}

function Body({ guest, looked }: { guest: GuestDetail; looked: boolean }) {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const tab: Tab = TABS.find((one) => one === search.tab) ?? 'overview'
  const remote = String(guest.remote_id)
  return (
    <Tabs
      value={tab}
      onChange={(value) => void navigate({ search: (had) => ({ ...had, tab: value === 'overview' ? undefined : (value ?? undefined) }), replace: true, resetScroll: false })}
      keepMounted={false}
    >
      <Tabs.List aria-label="Parts of this page" mb="md">
        <Tabs.Tab value="overview">Overview</Tabs.Tab>
        <Tabs.Tab value="tasks">Tasks</Tabs.Tab>
        <Tabs.Tab value="events">Events</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="overview">
        <Overview
          guest={guest}
          looked={looked}
          span={spanOf(search.span)}
          choose={(span) => void navigate({ search: (had) => ({ ...had, span: span === 'hour' ? undefined : span }), replace: true, resetScroll: false })}
        />
      </Tabs.Panel>
      <Tabs.Panel value="tasks">
        <Tasks remote={remote} vmid={guest.vmid} link={guest.link} />
      </Tabs.Panel>
      <Tabs.Panel value="events">
        <Stack gap="md">
          <Select
            size="xs"
            aria-label="Kind"
            placeholder="All kinds"
            data={kinds('guest')}
            value={search.kind ?? null}
            onChange={(kind) => void navigate({ search: (had) => ({ ...had, kind: kind ?? undefined }), replace: true, resetScroll: false })}
            searchable
            clearable
            w={220}
          />
          <Timeline
            of={{ remote: guest.remote_id, vmid: guest.vmid, kind: search.kind }}
            {...(search.kind ? { unfilter: () => void navigate({ search: (had) => ({ ...had, kind: undefined }), replace: true }) } : {})}
          />
          <PastLives remote={remote} vmid={guest.vmid} />
        </Stack>
      </Tabs.Panel>
    </Tabs>
  )
}

function Tasks({ remote, vmid, link }: { remote: string; vmid: number; link: GuestDetail['link'] }) {
  const asked = useQuery({
    queryKey: ['guest-tasks', remote, vmid],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/guests/{remote}/{vmid}/tasks', { params: { path: { remote, vmid } }, signal })),
    refetchInterval: 30_000,
  })
  const mine = useCallback((task: Task) => task.remote_id === Number(remote) && task.vmid === vmid, [remote, vmid])
  return <TaskList asked={asked} mine={mine} link={link} />
}
