/** Everybody's sessions. */
import { Skeleton, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import { many } from '~/format/format'
import { SessionItem } from '~/pages/account/SessionsTab'
import { ProblemView } from '~/ui/Problem'
import { Rows } from '~/ui/Rows'

export function SessionsTab() {
  const sessions = useQuery({
    queryKey: ['sessions'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/sessions', { signal })),
    refetchInterval: 15_000,
  })
  const items = sessions.data?.items
  return (
    <Stack>
      {sessions.error && <ProblemView error={sessions.error} again={() => void sessions.refetch()} />}
      {items === undefined ? (
        !sessions.error && <Skeleton h={100} aria-label="Loading" />
      ) : (
        <>
          <Text size="sm" className="quiet">
            {many(items.length, 'session')} of everybody. One that is ended closes its windows within a second.
          </Text>
          <Rows label="Sessions">
            {items.map((row) => (
              <SessionItem key={row.id} row={row} whose />
            ))}
          </Rows>
        </>
      )}
    </Stack>
  )
}
