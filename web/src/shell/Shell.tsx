/** What surrounds every page: where one is and can go, search, how live it all is, and one's account. */
import {
  ActionIcon,
  AppShell,
  Badge,
  Burger,
  Button,
  Group,
  Kbd,
  Menu,
  NavLink,
  ScrollArea,
  Text,
  Tooltip,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import {
  IconBox,
  IconDatabase,
  IconDeviceDesktop,
  IconHistory,
  IconHome,
  IconListCheck,
  IconLogout,
  IconMoon,
  IconPlayerPlay,
  IconSearch,
  IconServer,
  IconServer2,
  IconSettings,
  IconSun,
  IconUser,
} from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useRouter, useRouterState } from '@tanstack/react-router'
import { useEffect } from 'react'
import { OperateHost } from '~/actions/OperateHost'
import { root } from '~/api/client'
import { count } from '~/format/format'
import { useCounts, useLiveStatus } from '~/live/hooks'
import { live } from '~/live/live'
import { whoOf } from '~/live/protocol'
import { show } from '~/palette/open'
import { PaletteHost } from '~/palette/PaletteHost'
import { useTheme, useThemeFromServer } from '~/preferences/theme'
import { running } from '~/tasks/running'
import { State } from '~/ui/State'
import { CutBanner } from './CutBanner'
import { endSession } from './ending'
import { useFocusOnHeading } from './focus'
import { useSession } from './session'
import { useSignOut } from './sign-out'
import { Warnings } from './Warnings'
import { useSessionWatch } from './watch'
import classes from './shell.module.css'

/** The pages of the side bar. */
const PAGES = [
  { to: '/', label: 'Overview', icon: IconHome },
  { to: '/guests', label: 'Guests', icon: IconBox },
  { to: '/nodes', label: 'Nodes', icon: IconServer2 },
  { to: '/storages', label: 'Storage', icon: IconDatabase },
  { to: '/remotes', label: 'Remotes', icon: IconServer },
  { to: '/tasks', label: 'Tasks', icon: IconListCheck },
  { to: '/operations', label: 'Operations', icon: IconPlayerPlay },
  { to: '/events', label: 'Events', icon: IconHistory },
  { to: '/settings', label: 'Settings', icon: IconSettings },
] as const

export function Shell() {
  const [open, menu] = useDisclosure(false)
  const path = useRouterState({ select: (state) => state.location.pathname })
  useLive()
  useThemeFromServer()
  useFocusOnHeading()
  useSessionWatch(nothing)
  const close = menu.close
  useEffect(close, [path, close])
  return (
    <AppShell
      header={{ height: 50 }}
      navbar={{ width: 200, breakpoint: 'sm', collapsed: { mobile: !open } }}
      padding={0}
      transitionDuration={0}
    >
      <a className="skip-link" href="#main" onClick={skip}>
        Skip to the page
      </a>
      <AppShell.Header>
        <Group h="100%" px="sm" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={open} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" aria-expanded={open} />
            <Link to="/" className={classes.brand}>
              <img src={`${root}/muster.svg`} alt="" width={24} height={24} />
              <span>Muster</span>
            </Link>
          </Group>
          <Search />
          <Group gap={6} wrap="nowrap">
            <LiveMark />
            <Scheme />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label="Pages">
        <AppShell.Section grow component={ScrollArea} p="xs">
          <Pages />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <Warnings />
        <Outlet />
      </AppShell.Main>
      <CutBanner />
      <OperateHost />
      <PaletteHost />
    </AppShell>
  )
}

function skip(event: React.MouseEvent) {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

/** Holds the live stream while somebody is signed in. */
function useLive() {
  const queries = useQueryClient()
  const router = useRouter()
  const who = whoOf(useSession())
  useEffect(() => live.start(who, () => endSession(queries, router)), [who, queries, router])
}

/** Behind the sign-in a session never begins. */
function nothing() {
  return undefined
}

function Pages() {
  const counts = useCounts()
  const path = useRouterState({ select: (state) => state.location.pathname })
  const here = (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`))
  const tasks = counts && running(counts.tasks_running, counts.tasks_unknown, counts.remotes)
  const beside: Record<string, React.ReactNode> = counts
    ? {
        '/guests': count(counts.guests),
        '/nodes': count(counts.nodes),
        '/storages': count(counts.storages),
        '/remotes': count(counts.remotes),
        '/tasks': tasks?.figure && (
          <Mark label={['running', tasks.wanting].filter(Boolean).join('; ')} color={counts.tasks_running > 0 ? 'blue' : 'gray'}>
            {tasks.figure}
          </Mark>
        ),
        '/operations':
          counts.operations_undecided > 0 ? (
            <Mark label="wait for a person" color="yellow">
              {counts.operations_undecided}
            </Mark>
          ) : counts.operations_open > 0 ? (
            <Mark label="not ended">{counts.operations_open}</Mark>
          ) : undefined,
      }
    : {}
  return PAGES.map(({ to, label, icon: Icon }) => (
    <NavLink
      key={to}
      component={Link}
      to={to}
      label={label}
      active={here(to)}
      aria-current={here(to) ? 'page' : undefined}
      leftSection={<Icon size={17} stroke={1.7} />}
      rightSection={
        <Text component="span" size="xs" className="figures quiet">
          {beside[to]}
        </Text>
      }
      py={6}
    />
  ))
}

function Mark({ label, color = 'blue', children }: { label: string; color?: string; children: number | string }) {
  return (
    <Badge size="sm" variant="light" color={color} aria-label={`${children} ${label}`} title={label}>
      {children}
    </Badge>
  )
}

function Search() {
  return (
    <Button
      className={classes.search}
      variant="default"
      c="dimmed"
      leftSection={<IconSearch size={16} />}
      onClick={() => show('palette')}
      aria-keyshortcuts="Control+K"
      aria-label="Search: find anything, or do something"
      size="sm"
    >
      <Text span size="sm" className="cut">
        Search
      </Text>
      <Kbd size="xs" visibleFrom="sm">
        Ctrl K
      </Kbd>
    </Button>
  )
}

function LiveMark() {
  const status = useLiveStatus()
  const [tone, word, why] =
    status.state === 'live'
      ? (['good', 'live', 'What changes is shown as it changes'] as const)
      : status.state === 'cut'
        ? (['bad', 'cut', status.why] as const)
        : (['busy', 'connecting', 'The live stream is being opened'] as const)
  return (
    <Tooltip label={why}>
      <Text component="span" size="sm" visibleFrom="sm" tabIndex={0}>
        <State tone={tone}>{word}</State>
      </Text>
    </Tooltip>
  )
}

function Scheme() {
  const [colorScheme, choose] = useTheme()
  const ways = [
    { value: 'light', label: 'Light', icon: IconSun },
    { value: 'dark', label: 'Dark', icon: IconMoon },
    { value: 'auto', label: 'As the system', icon: IconDeviceDesktop },
  ] as const
  const Icon = ways.find((way) => way.value === colorScheme)?.icon ?? IconDeviceDesktop
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label="Colours" size="lg">
          <Icon size={18} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {ways.map(({ value, label, icon: Way }) => (
          <Menu.Item
            key={value}
            leftSection={<Way size={16} />}
            onClick={() => choose(value)}
            aria-current={value === colorScheme}
            fw={value === colorScheme ? 600 : undefined}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

function Account() {
  const session = useSession()
  const leave = useSignOut()
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Account of ${session.user}`} size="lg">
          <IconUser size={18} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{session.user}</Menu.Label>
        <Menu.Item component={Link} to="/account" leftSection={<IconUser size={16} />}>
          My account
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={leave}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
