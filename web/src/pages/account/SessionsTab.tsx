/** One's own sessions: from where, with what, since when; and their end. */
import { Badge, Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import { useSession } from '~/shell/session'
import { useSignOut } from '~/shell/sign-out'
import { Blocked } from '~/ui/Blocked'
import { ProblemView } from '~/ui/Problem'
import { Row, Rows } from '~/ui/Rows'
import { Sure } from '~/ui/Sure'
import { Ago } from '~/ui/Time'
import { agentInWords } from './agent'

type SessionRow = Schemas['SessionRow']

export function SessionsTab() {
  const { user } = useSession()
  const sessions = useQuery({
    queryKey: ['sessions', user],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/sessions', { params: { query: { user } }, signal })),
    refetchInterval: 15_000,
  })
  const [all, setAll] = useState(false)
  if (!sessions.data) {
    return sessions.error ? (
      <ProblemView error={sessions.error} again={() => void sessions.refetch()} />
    ) : (
      <Skeleton h={120} aria-label="Loading" />
    )
  }
  const rows = sessions.data.items
  const others = rows.filter((row) => !row.current).length
  return (
    <Stack>
      {sessions.error && <ProblemView error={sessions.error} again={() => void sessions.refetch()} />}
      <Group justify="space-between">
        <Text size="sm" className="quiet">
          {many(rows.length, 'session')}. A session ends by itself after twelve hours without use, and after thirty days.
        </Text>
        <Blocked why={others === 0 ? 'There is no other session.' : undefined}>
          <Button size="compact-sm" variant="default" onClick={() => setAll(true)}>
            End all others
          </Button>
        </Blocked>
      </Group>
      <Rows label="Sessions">
        {rows.map((row) => (
          <SessionItem key={row.id} row={row} />
        ))}
      </Rows>
      {all && <EndOthers others={others} close={() => setAll(false)} />}
    </Stack>
  )
}

function EndOthers({ others, close }: { others: number; close: () => void }) {
  const queries = useQueryClient()
  const end = useOnce(
    (_: void, key) => unwrap(api.DELETE('/api/v1/sessions', { params: { header: { 'Idempotency-Key': key } } })),
    async () => {
      await queries.invalidateQueries({ queryKey: ['sessions'] })
      close()
    },
  )
  return (
    <Sure title="End all other sessions" act="End them" change={end} close={close}>
      <Text size="sm">
        {many(others, 'session')} of yours {others === 1 ? 'ends' : 'end'} at once, with all windows that are open in{' '}
        {others === 1 ? 'it' : 'them'}. This one and your API tokens go on.
      </Text>
    </Sure>
  )
}

/** A session; `whose`: with the name of its owner. */
export function SessionItem({ row, whose }: { row: SessionRow; whose?: boolean }) {
  const [asked, setAsked] = useState(false)
  const queries = useQueryClient()
  const signOut = useSignOut()
  const end = useOnce(
    (_: void, key) =>
      unwrap(api.DELETE('/api/v1/sessions/{id}', { params: { path: { id: row.id }, header: { 'Idempotency-Key': key } } })),
    async () => {
      await queries.invalidateQueries({ queryKey: ['sessions'] })
      setAsked(false)
    },
  )
  return (
    <Row
      title={
        <>
          {whose && <span className="name">{row.name},</span>}
          <span className="name" title={row.agent ?? undefined}>
            {agentInWords(row.agent)}
          </span>
          {row.current && (
            <Badge size="sm" variant="light" tt="none">
              this one
            </Badge>
          )}
        </>
      }
      actions={
        <Button
          size="compact-sm"
          variant="default"
          aria-label={row.current ? 'Sign out of this session' : `End the session from ${row.from ?? 'an unknown address'}`}
          onClick={row.current ? signOut : () => setAsked(true)}
        >
          {row.current ? 'Sign out' : 'End'}
        </Button>
      }
    >
      <span>from {row.from ?? 'an unknown address'}</span>
      <span>
        began <Ago at={row.created} />
      </span>
      <span>
        last used <Ago at={row.last_used} />
      </span>
      <span>
        ends <Ago at={row.expires} />
      </span>
      {asked && (
        <Sure title="End this session" act="End it" change={end} close={() => setAsked(false)}>
          <Text size="sm">
            {whose ? `The session of ${row.name}` : 'Your session'} from {row.from ?? 'an unknown address'} ({agentInWords(row.agent)})
            ends at once. Whoever uses it has to sign in again.
          </Text>
        </Sure>
      )}
    </Row>
  )
}
