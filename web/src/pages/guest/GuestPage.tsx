/** One guest: what it is, how it stands and how sure that is, what may be done with it, what was done and what happened. */
import { Select, Skeleton, Stack, Tabs } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useCallback } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import type { GuestDetail, Task } from '~/api/types'
import { spanOf } from '~/charts/panels'
import { kinds } from '~/events/kinds'
import { Timeline } from '~/events/Timeline'
import { TaskList } from '~/tasks/TaskList'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { LinkNotice } from '~/ui/LinkNotice'
import { Page } from '~/ui/Page'
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
  return Number.isInteger(number) && number >= 0 ? <Known key={`${remote}/${vmid}`} remote={remote} vmid={number} /> : <NoSuchGuest remote={remote} vmid={vmid} />
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
  if (!error) {
    return (
      <Stack gap="md" p={{ base: 'sm', sm: 'md' }} role="status" aria-label="Loading">
        <Skeleton height={30} width={320} maw="100%" />
        <Skeleton height={20} width={420} maw="100%" />
        <Skeleton height={26} width={620} maw="100%" />
        <Skeleton height={70} mt="lg" />
        <Skeleton height={210} />
      </Stack>
    )
  }
  if (error instanceof Refusal && error.status === 404) return <NoSuchGuest remote={remote} vmid={String(vmid)} />
  return (
    <Page title={`Guest ${remote}/${vmid}`}>
      <ProblemView error={error} again={again} />
    </Page>
  )
}

/** Not there, or not to be seen: the server does not tell which. Guests that had the number before it does tell. */
function NoSuchGuest({ remote, vmid }: { remote: string; vmid: string }) {
  return (
    <Page title={`Guest ${remote}/${vmid}`}>
      <Empty title="No such guest" action={<AnchorLink to="/guests">All guests</AnchorLink>}>
        No guest has this number on this remote, or you may not see it.
      </Empty>
    </Page>
  )
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
        <Tasks remote={remote} vmid={guest.vmid} />
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

function Tasks({ remote, vmid }: { remote: string; vmid: number }) {
  const asked = useQuery({
    queryKey: ['guest-tasks', remote, vmid],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/guests/{remote}/{vmid}/tasks', { params: { path: { remote, vmid } }, signal })),
    refetchInterval: 30_000,
  })
  const mine = useCallback((task: Task) => task.remote_id === Number(remote) && task.vmid === vmid, [remote, vmid])
  return <TaskList asked={asked} mine={mine} />
}
