/** API tokens: what programs sign in with. Made here, shown once, ended here. */
import { Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useSession } from '~/shell/session'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { Rows } from '~/ui/Rows'
import { NewTokenDialog } from './NewTokenDialog'
import { TokenItem } from './TokenItem'

/** One's own, and for an administrator everybody's. */
export function useTokens() {
  return useQuery({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/tokens', { signal })),
  })
}

export function TokensTab() {
  const { user } = useSession()
  const tokens = useTokens()
  const [making, setMaking] = useState(false)
  const own = tokens.data?.items.filter((token) => token.user === user)
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" className="quiet" maw={620}>
          A program sends its token with each request: <code className="mono">Authorization: Bearer mst_…</code>. It may never do
          more than you, and goes on when your password changes.
        </Text>
        <Button size="compact-sm" leftSection={<IconPlus size={14} />} onClick={() => setMaking(true)}>
          Make a token
        </Button>
      </Group>
      {tokens.error && <ProblemView error={tokens.error} again={() => void tokens.refetch()} />}
      {own === undefined ? (
        !tokens.error && <Skeleton h={100} aria-label="Loading" />
      ) : own.length === 0 ? (
        <Empty title="No API token yet">Scripts, the command line on other machines and monitoring use one each.</Empty>
      ) : (
        <Rows label="API tokens">
          {own.map((token) => (
            <TokenItem key={token.id} token={token} />
          ))}
        </Rows>
      )}
      {making && <NewTokenDialog close={() => setMaking(false)} />}
    </Stack>
  )
}
