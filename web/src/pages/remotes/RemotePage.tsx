/** One remote: how its link fares and what mends it, what is known of it and how well, and all that may be done with it. */
import { Alert, Anchor, Badge, Group, Skeleton, Stack, Tabs, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import type { Remote, Schemas } from '~/api/types'
import { AnchorLink } from '~/ui/AnchorLink'
import { DetailFailed } from '~/ui/DetailStates'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { LinkState } from '~/ui/State'
import { Actions } from './remote/Actions'
import { Coverage } from './remote/Coverage'
import { Drift } from './remote/Drift'
import { Endpoints } from './remote/Endpoints'
import { Figures } from './remote/Figures'
import { Ha } from './remote/Ha'
import { LinkPanel } from './remote/LinkPanel'
import { Nodes } from './remote/Nodes'
import { Gone, leftGiven } from './remote/Remove'
import { SignedInAs } from './remote/SignedInAs'
import { useRemote } from './useRemote'
import classes from './remotes.module.css'

const route = getRouteApi('/inside/remotes/$remote')

const TABS = ['link', 'coverage', 'drift', 'nodes', 'ha']

export default function RemotePage() {
  const { remote } = route.useParams()
  return <Told key={remote} named={remote} />
}

function Told({ named }: { named: string }) {
  const [gone, setGone] = useState<{ name: string; removed: Schemas['Removed']; given: string | undefined }>()
  const { remote, query } = useRemote(named, gone ? false : undefined)
  if (gone) return <Gone {...gone} />
  if (remote) {
    return <Shown remote={remote} error={query.error} again={() => void query.refetch()} onGone={(removed) => setGone({ name: remote.name, removed, given: leftGiven(remote) })} />
  }
  if (!query.error) {
    return (
      <Page title="Remote">
        <Waiting />
      </Page>
    )
  }
  const all = <AnchorLink to="/remotes">All remotes</AnchorLink>
  return <DetailFailed error={query.error} again={() => void query.refetch()} title={`Remote ${named}`} what="remote" all={all} />
}

function Waiting() {
  return (
    <Stack aria-busy aria-label="The remote is being read">
      <Skeleton height={34} />
      <Skeleton height={180} />
      <Skeleton height={220} />
    </Stack>
  )
}

function Shown({
  remote,
  error,
  again,
  onGone,
}: {
  remote: Remote
  error: unknown
  again: () => void
  onGone: (removed: Schemas['Removed']) => void
}) {
  const { tab } = route.useSearch()
  const navigate = route.useNavigate()
  const odd = (remote.drift ?? []).length + (remote.unreadable ?? []).length
  const failing = remote.counts.facets_failing
  return (
    <Page title={remote.name} beside={<LinkState state={remote.link.state} />} actions={<Actions remote={remote} onGone={onGone} />}>
      <Stack gap="sm">
        {error !== null && error !== undefined && <ProblemView error={error} again={again} title="The remote could not be read anew: this is what was known before" />}
        <Remarks remote={remote} />
        <Tabs
          className={error === null ? undefined : 'stale'}
          value={TABS.find((one) => one === tab) ?? 'link'}
          onChange={(to) => void navigate({ search: { tab: to === 'link' || to === null ? undefined : to }, replace: true })}
          keepMounted={false}
        >
          <Tabs.List mb="sm">
            <Tabs.Tab value="link">Overview</Tabs.Tab>
            <Tabs.Tab value="coverage" rightSection={<Mark number={failing} label="kinds of facts fail" />}>
              Coverage
            </Tabs.Tab>
            <Tabs.Tab value="drift" rightSection={<Mark number={odd} label="oddities" />}>
              Drift
            </Tabs.Tab>
            <Tabs.Tab value="nodes">Nodes</Tabs.Tab>
            <Tabs.Tab value="ha">High availability</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="link">
            <div className={classes.sides}>
              <LinkPanel remote={remote} />
              <Figures remote={remote} />
              <div className={classes.wide}>
                <Endpoints remote={remote} />
              </div>
              <div className={classes.wide}>
                <SignedInAs remote={remote} />
              </div>
            </div>
          </Tabs.Panel>
          <Tabs.Panel value="coverage">
            <Coverage remote={remote} />
          </Tabs.Panel>
          <Tabs.Panel value="drift">
            <Drift remote={remote} />
          </Tabs.Panel>
          <Tabs.Panel value="nodes">
            <Nodes remote={remote} />
          </Tabs.Panel>
          <Tabs.Panel value="ha">
            <Ha remote={remote} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </Page>
  )
}

function Mark({ number, label }: { number: number; label: string }) {
  if (number === 0) return null
  return (
    <Badge size="sm" variant="light" color="yellow" aria-label={`${number} ${label}`} title={label}>
      {number}
    </Badge>
  )
}

/** What is out of the ordinary about the remote itself. */
function Remarks({ remote }: { remote: Remote }) {
  const { run_by: by, same_as: twin, faults } = remote
  return (
    <>
      {by && (
        <Alert color="blue" variant="light" title={`The Muster process ${by.process} looks after this remote`}>
          <Text size="sm">
            What is shown is what that process has written down. What changes something is asked of it
            {by.address ? (
              <>
                , at <Anchor href={by.address}>{by.address}</Anchor>
              </>
            ) : null}
            .
          </Text>
        </Alert>
      )}
      {twin && (
        <Alert color="yellow" variant="light" title={`This is the same cluster or host as ${twin}`}>
          <Text size="sm">All that is on it is listed twice. Remove one of the two, and add its address to the other as an endpoint.</Text>
        </Alert>
      )}
      {(faults ?? 0) > 0 && (
        <Alert color="yellow" variant="light" title="Muster’s own work for this remote ended through a fault and was begun again">
          <Group gap={6}>
            <Text size="sm">
              {faults === 1 ? 'Once' : `${faults} times`}; the last time: <span className="name">{remote.last_fault ?? 'unknown why'}</span>.
              Muster’s log says more.
            </Text>
          </Group>
        </Alert>
      )}
    </>
  )
}
