/** What has happened, on all remotes. */
import { Group, Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { api, unwrap } from '~/api/client'
import { kinds } from '~/events/kinds'
import { Timeline } from '~/events/Timeline'
import { Page } from '~/ui/Page'

const route = getRouteApi('/inside/events')

/** More remotes than these are found by typing into the field of a longer list than anyone reads. */
const MOST = 1000

export default function EventsPage() {
  const { kind, remote } = route.useSearch()
  const navigate = route.useNavigate()
  const remotes = useQuery({
    queryKey: ['remotes', 'of-events'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/remotes', { params: { query: { sort: 'name', limit: MOST } }, signal })),
  })
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
            data={(remotes.data?.items ?? []).map((one) => ({ value: String(one.id), label: one.name }))}
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
