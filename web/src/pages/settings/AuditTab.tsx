/** The audit log: who did what, from where, how it ended; whether the chain of its rows holds; and a way to take it along. */
import { Alert, Button as Plain, Code, Group, Skeleton, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconDownload, IconShieldCheck, IconShieldX } from '@tabler/icons-react'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { api, root, unwrap } from '~/api/client'
import type { Schemas } from '~/api/types'
import { count, words } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { Button } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { Id } from '~/ui/Id'
import { ProblemView } from '~/ui/Problem'
import { Row, Rows } from '~/ui/Rows'
import { State } from '~/ui/State'
import { Ago } from '~/ui/Time'

const PAGE = 50

export function AuditTab() {
  const log = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ signal, pageParam }) =>
      unwrap(
        api.GET('/api/v1/audit', { params: { query: { limit: PAGE, ...(pageParam === null ? {} : { before: pageParam }) } }, signal }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (last) => last.next ?? undefined,
    // Asked anew it would be asked page by page: who wants to see more asks.
    refetchOnWindowFocus: false,
  })
  const pages = log.data?.pages ?? []
  const rows = pages.flatMap((page) => page.items)
  const exported = pages[0]?.exported ?? 0
  return (
    <Stack>
      <Verify />
      <Group justify="space-between">
        <Text size="sm" className="quiet" maw={680}>
          {exported > 0
            ? `Exported up to row ${count(exported)}; what was exported is deleted when it is old enough, and nothing else ever.`
            : 'Nothing of it was exported yet, and what was not exported is never deleted.'}{' '}
          <code className="mono">muster audit export FILE</code> keeps track of it.
        </Text>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" loading={log.isFetching && !log.isFetchingNextPage} onClick={() => void log.refetch()}>
            Look again
          </Button>
          <Plain
            component="a"
            href={`${root}/api/v1/audit/export`}
            download="muster-audit.jsonl"
            size="compact-sm"
            variant="default"
            leftSection={<IconDownload size={14} />}
          >
            Download all of it
          </Plain>
        </Group>
      </Group>
      {log.error && <ProblemView error={log.error} again={() => void log.refetch()} />}
      {log.data === undefined ? (
        !log.error && <Skeleton h={300} aria-label="Loading" />
      ) : rows.length === 0 ? (
        <Empty title="The audit log is empty">Every change that somebody makes leaves a row here.</Empty>
      ) : (
        <Rows label="Audit log, newest first">
          {rows.map((row) => (
            <AuditItem key={row.id} row={row} />
          ))}
        </Rows>
      )}
      {log.hasNextPage && (
        <Group justify="center">
          <Button variant="default" loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
            Show older rows
          </Button>
        </Group>
      )}
    </Stack>
  )
}

function Verify() {
  const verify = useMutation({ mutationFn: () => unwrap(api.GET('/api/v1/audit/verify')) })
  const found = verify.data
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Button size="compact-sm" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
          Verify the chain
        </Button>
        <Text size="sm" className="quiet">
          Each row carries the hash of the one before: what was altered, taken out or put in is found. It reads every row.
        </Text>
      </Group>
      {verify.error && <ProblemView error={verify.error} again={() => verify.mutate()} />}
      {found?.holds && (
        <Alert color="green" role="status" icon={<IconShieldCheck size={18} />} title={`It holds: ${count(found.rows)} rows, up to row ${count(found.last)}`}>
          {found.expired > 0 && <Text size="sm">Rows up to {count(found.expired)} were deleted after they were exported.</Text>}
          {found.hash && (
            <Text size="sm" component="div">
              Note this hash where whoever runs Muster cannot write, and you know later that nothing up to here was changed:{' '}
              <Id text={found.hash} what="the hash" />
            </Text>
          )}
        </Alert>
      )}
      {found && !found.holds && (
        <Alert color="red" role="alert" icon={<IconShieldX size={18} />} title={`It does not hold from row ${count(found.broken?.row)} on`}>
          <Text size="sm">{found.broken?.sentence}</Text>
          <Text size="sm">Compare with your exports (muster audit verify FILE…), and keep a copy of the database before anything else.</Text>
        </Alert>
      )}
    </Stack>
  )
}

function AuditItem({ row }: { row: Schemas['AuditRow'] }) {
  const [open, details] = useDisclosure(false)
  return (
    <Row
      title={
        <>
          <span className="mono">{row.name}</span>
          {row.target && <span className="name">{row.target}</span>}
          {row.remote && row.remote !== row.target && <span className="quiet name">on {row.remote}</span>}
        </>
      }
      actions={
        <Button
          size="compact-sm"
          variant="default"
          aria-expanded={open}
          aria-label={`Details of row ${row.id}`}
          onClick={details.toggle}
        >
          Details
        </Button>
      }
      below={open && <Details row={row} />}
    >
      <span>
        <Ago at={row.at} />
      </span>
      <span className="name">
        {row.author.name} from {row.author.from}
      </span>
      {row.unreadable ? (
        <State tone="unknown">cannot be read: {row.unreadable.why}</State>
      ) : (
        <State tone={row.outcome == null ? 'unknown' : row.outcome === 'ok' ? 'good' : 'bad'}>
          {row.outcome == null ? 'how it ended is not known' : words(row.outcome)}
        </State>
      )}
      {row.operation && (
        <AnchorLink to="/operations/$id" params={{ id: row.operation }} inherit>
          its operation
        </AnchorLink>
      )}
    </Row>
  )
}

function Details({ row }: { row: Schemas['AuditRow'] }) {
  return (
    <Stack gap={4} py={6}>
      <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {row.unreadable ? row.unreadable.raw : JSON.stringify(row.parameters ?? {}, null, 2)}
      </Code>
      <span>
        row {row.id}
        {row.hash && (
          <>
            , hash <Id text={row.hash} what="the hash" />
          </>
        )}
      </span>
    </Stack>
  )
}
