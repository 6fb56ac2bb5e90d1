/** What has happened, on all remotes. */
import { Group, Select } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { kinds } from '~/events/kinds'
import { Timeline } from '~/events/Timeline'
import { NothingFits } from '~/query/NothingFits'
import { useSession } from '~/shell/session'
import { Page } from '~/ui/Page'
import { useRemoteNames } from '../remotes/useRemotes'

const route = getRouteApi('/inside/events')

export default function EventsPage() {
  // Who may see nothing is told so, and not that nothing has happened.
  return useSession().grants.length === 0 ? <Nothing /> : <History />
}

function Nothing() {
  return (
    <Page title="Events">
      <NothingFits what="events" q="" remotes={undefined} error={undefined} onClear={() => undefined} />
    </Page>
  )
}

function History() {
  const { kind, remote } = route.useSearch()
  const navigate = route.useNavigate()
  const remotes = useRemoteNames()
  const choose = (change: { kind?: string | undefined; remote?: string | undefined }) =>
    void navigate({ search: (had) => ({ ...had, ...change }), replace: true })
  const number = remote === undefined ? undefined : Number(remote)
  return (
    <Page
      title="Events"
      actions={
        <Group gap="xs">
          <Select
            size="xs"
            aria-label="Remote"
            placeholder="All remotes"
            data={(remotes.data ?? []).map((one) => ({ value: String(one.id), label: one.name }))}
            value={remote ?? null}
            onChange={(value) => choose({ remote: value ?? undefined })}
            searchable
            clearable
            w={170}
          />
          <Select
            size="xs"
            aria-label="Kind"
            placeholder="All kinds"
            data={kinds('fleet')}
            value={kind ?? null}
            onChange={(value) => choose({ kind: value ?? undefined })}
            searchable
            clearable
            w={190}
          />
        </Group>
      }
    >
      <Timeline
        of={{ kind, remote: number !== undefined && Number.isInteger(number) ? number : undefined }}
        named
        {...(kind !== undefined || remote !== undefined ? { unfilter: () => choose({ kind: undefined, remote: undefined }) } : {})}
      />
    </Page>
  )
}
