/** One's own account: password, second factor, sessions, API tokens. */
import { Skeleton, Tabs, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { api, unwrap } from '~/api/client'
import { useSession } from '~/shell/session'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { Ago } from '~/ui/Time'
import { FactorTab } from './FactorTab'
import { Grants } from './Grants'
import { PasswordTab } from './PasswordTab'
import { SessionsTab } from './SessionsTab'
import { TokensTab } from './TokensTab'

const route = getRouteApi('/inside/account')
const TABS = ['password', 'factor', 'sessions', 'tokens']

function useAccount() {
  return useQuery({
    queryKey: ['account'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/account', { signal })),
  })
}

export default function AccountPage() {
  const { tab = 'password' } = route.useSearch()
  const navigate = route.useNavigate()
  const session = useSession()
  const account = useAccount()
  return (
    <Page title="My account">
      <Text component="div" size="sm" className="quiet" mb="sm">
        Signed in as <b className="name">{session.user}</b>, who is <Grants grants={session.grants} />.
        {account.data?.last_sign_in && (
          <>
            {' '}
            Last sign-in <Ago at={account.data.last_sign_in} />.
          </>
        )}
      </Text>
      <Tabs
        value={TABS.includes(tab) ? tab : 'password'}
        onChange={(to) => void navigate({ search: to && to !== 'password' ? { tab: to } : {}, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="password">Password</Tabs.Tab>
          <Tabs.Tab value="factor">Second factor</Tabs.Tab>
          <Tabs.Tab value="sessions">Sessions</Tabs.Tab>
          <Tabs.Tab value="tokens">API tokens</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="password">
          <PasswordTab account={account.data} />
        </Tabs.Panel>
        <Tabs.Panel value="factor">
          {account.data ? (
            <FactorTab totp={account.data.totp ?? null} />
          ) : account.error ? (
            <ProblemView error={account.error} again={() => void account.refetch()} />
          ) : (
            <Skeleton h={120} maw={560} aria-label="Loading" />
          )}
        </Tabs.Panel>
        <Tabs.Panel value="sessions">
          <SessionsTab />
        </Tabs.Panel>
        <Tabs.Panel value="tokens">
          <TokensTab />
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}
