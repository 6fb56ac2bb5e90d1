/** Muster itself: its people, what they signed in with, what was done by whom, and how the installation fares. */
import { Tabs } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useMay } from '~/shell/session'
import { AnchorLink } from '~/ui/AnchorLink'
import { Empty } from '~/ui/Empty'
import { Page } from '~/ui/Page'
import { AboutTab } from './AboutTab'
import { AuditTab } from './AuditTab'
import { SessionsTab } from './SessionsTab'
import { TokensTab } from './TokensTab'
import { UsersTab } from './UsersTab'

const route = getRouteApi('/inside/settings')
const TABS = ['users', 'tokens', 'sessions', 'audit', 'about']

export default function SettingsPage() {
  const { tab } = route.useSearch()
  const navigate = route.useNavigate()
  const governs = useMay('administrator', null)
  // Who does not govern finds here what concerns everybody.
  const usual = governs ? 'users' : 'about'
  const shown = tab !== undefined && TABS.includes(tab) ? tab : usual
  const forGovernors = (what: string, content: ReactNode) => (governs ? content : <NotYours what={what} />)
  return (
    <Page title="Settings">
      <Tabs
        value={shown}
        onChange={(to) => void navigate({ search: to && to !== usual ? { tab: to } : {}, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="users">Users</Tabs.Tab>
          <Tabs.Tab value="tokens">API tokens</Tabs.Tab>
          <Tabs.Tab value="sessions">Sessions</Tabs.Tab>
          <Tabs.Tab value="audit">Audit log</Tabs.Tab>
          <Tabs.Tab value="about">About</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="users">{forGovernors('Who has an account, and what they may', <UsersTab />)}</Tabs.Panel>
        <Tabs.Panel value="tokens">{forGovernors('Everybody’s API tokens', <TokensTab />)}</Tabs.Panel>
        <Tabs.Panel value="sessions">{forGovernors('Everybody’s sessions', <SessionsTab />)}</Tabs.Panel>
        <Tabs.Panel value="audit">{forGovernors('The audit log', <AuditTab />)}</Tabs.Panel>
        <Tabs.Panel value="about">
          <AboutTab governs={governs} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  )
}

function NotYours({ what }: { what: string }) {
  return (
    <Empty
      title="This needs the role administrator"
      action={
        <AnchorLink to="/account" size="sm">
          To my own account
        </AnchorLink>
      }
    >
      {what} can be seen and changed by an administrator of everything. Ask one of them; your own password, sessions and tokens are
      in your account.
    </Empty>
  )
}
