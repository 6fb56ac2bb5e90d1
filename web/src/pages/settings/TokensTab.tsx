/** Everybody's API tokens. */
import { Skeleton, Stack, Text } from '@mantine/core'
import { many } from '~/format/format'
import { TokenItem } from '~/pages/account/TokenItem'
import { useTokens } from '~/pages/account/TokensTab'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { Rows } from '~/ui/Rows'

export function TokensTab() {
  const tokens = useTokens()
  const items = tokens.data?.items
  return (
    <Stack>
      {tokens.error && <ProblemView error={tokens.error} again={() => void tokens.refetch()} />}
      {items === undefined ? (
        !tokens.error && <Skeleton h={100} aria-label="Loading" />
      ) : items.length === 0 ? (
        <Empty title="Nobody has an API token">People make them in their account, for scripts and monitoring.</Empty>
      ) : (
        <>
          <Text size="sm" className="quiet">
            {many(items.length, 'API token')}. People make their own in their account.
          </Text>
          <Rows label="API tokens">
            {items.map((token) => (
              <TokenItem key={token.id} token={token} whose />
            ))}
          </Rows>
        </>
      )}
    </Stack>
  )
}
