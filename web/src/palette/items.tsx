/** What the palette offers for what was written. */
import {
  IconBox,
  IconDatabase,
  IconDeviceDesktop,
  IconKeyboard,
  IconListCheck,
  IconLogout,
  IconMoon,
  IconPlayerPlay,
  IconPlug,
  IconPlugOff,
  IconPlus,
  IconRefresh,
  IconServer,
  IconServer2,
  IconSettings,
  IconSun,
  IconHistory,
  IconHome,
  IconUser,
} from '@tabler/icons-react'
import type { MantineColorScheme } from '@mantine/core'
import type { RegisteredRouter } from '@tanstack/react-router'
import { operate } from '~/actions/operate'
import { power } from '~/actions/table'
import { has } from '~/api/session'
import type { Guest, Node, RemoteRow, Session, Storage } from '~/api/types'
import { words as spoken } from '~/format/format'
import { forbidden, forbiddenToTry } from '~/pages/remotes/decide'
import type { Found } from './find'
import { PLACES } from './keys'
import { fitting, type Meant, rank, type RemoteVerb, textOf } from './match'
import { actOnLink } from './remotes'

export interface Item {
  id: string
  group: string
  label: string
  /** Beside the label: where it is, how it stands. */
  hint?: string
  icon: typeof IconHome
  /** Keys that do the same. */
  keys?: readonly string[]
  /** Why it may not be done. */
  why?: string | undefined
  run: () => void
}

/** What the items do their work with. */
export interface World {
  router: RegisteredRouter
  session: Session
  theme: MantineColorScheme
  choose: (theme: MantineColorScheme) => void
  showKeys: () => void
  signOut: () => void
}

const PLACE_ICONS: Record<(typeof PLACES)[number]['to'], typeof IconHome> = {
  '/': IconHome,
  '/guests': IconBox,
  '/nodes': IconServer2,
  '/storages': IconDatabase,
  '/remotes': IconServer,
  '/tasks': IconListCheck,
  '/operations': IconPlayerPlay,
  '/events': IconHistory,
  '/settings': IconSettings,
  '/account': IconUser,
}

/** Parts of pages that people look for by name. */
const PARTS = [
  { to: '/account', tab: 'password', label: 'Change my password' },
  { to: '/account', tab: 'factor', label: 'My second factor' },
  { to: '/account', tab: 'sessions', label: 'My sessions' },
  { to: '/account', tab: 'tokens', label: 'My API tokens' },
  { to: '/settings', tab: 'users', label: 'Users and roles' },
  { to: '/settings', tab: 'audit', label: 'Audit log' },
  { to: '/settings', tab: 'about', label: 'About this server: version, store, licences' },
] as const

function places({ router }: World): Item[] {
  return [
    ...PLACES.map(({ key, to, label }) => ({
      id: `go ${to}`,
      group: 'Pages',
      label,
      icon: PLACE_ICONS[to],
      keys: ['g', key],
      run: () => void router.navigate({ to }),
    })),
    ...PARTS.map(({ to, tab, label }) => ({
      id: `go ${to} ${tab}`,
      group: 'Pages',
      label,
      icon: PLACE_ICONS[to],
      run: () => void router.navigate({ to, search: { tab } }),
    })),
  ]
}

function commands({ router, session, theme, choose, showKeys, signOut }: World): Item[] {
  const schemes = [
    { to: 'light', label: 'Light colours', icon: IconSun },
    { to: 'dark', label: 'Dark colours', icon: IconMoon },
    { to: 'auto', label: 'Colours as the system', icon: IconDeviceDesktop },
  ] as const
  return [
    {
      id: 'add remote',
      group: 'Do',
      label: 'Add a remote',
      icon: IconPlus,
      why: has(session, 'administrator', null) ? undefined : 'This needs the role administrator everywhere.',
      run: () => void router.navigate({ to: '/add-remote' }),
    },
    ...schemes.map(({ to, label, icon }) => ({
      id: `theme ${to}`,
      group: 'Do',
      label,
      icon,
      ...(theme === to ? { hint: 'as it is now' } : {}),
      run: () => choose(to),
    })),
    { id: 'keys', group: 'Do', label: 'Show all keys', icon: IconKeyboard, keys: ['?'], run: showKeys },
    { id: 'sign out', group: 'Do', label: 'Sign out', icon: IconLogout, run: signOut },
  ]
}

/** So much of pages is shown beside what was found. */
const FEW = 5

/** All items for what was written, in the order in which they are shown. */
export function itemsFor(meant: Meant, found: Found, world: World): Item[] {
  const { words } = meant
  const text = (item: Item) => item.label
  if (words.length === 0) return [...places(world).filter((item) => item.keys), ...commands(world)]
  const pages = fitting(places(world), text, words).slice(0, FEW)
  const deeds = fitting(commands(world), text, words).slice(0, FEW)
  // Those first whose names begin so; the server's own order is by place.
  const order = (guest: Guest) => rank(guestName(guest), meant.rest) ?? Infinity
  const guests = found.guests.filter((guest) => fits(guest, meant.rest)).sort((a, b) => order(a) - order(b))
  const action = meant.guest
  return [
    ...(action ? guests.map((guest) => guestDeed(guest, action, world)) : []),
    ...(meant.remote ? remoteDeeds(found.remotes, meant.remote, meant.rest, world) : []),
    ...pages,
    ...deeds,
    ...(meant.guest || meant.remote ? [] : things(guests, found, meant.rest, world)),
  ]
}

/** Of what was found for fewer letters, what fits what is written now: the server looks at more than the name. */
function fits(row: Guest | Node | Storage | RemoteRow, words: readonly string[]): boolean {
  return rank(textOf(row), words) !== undefined
}

function guestName(guest: Guest): string {
  return guest.name ? `${guest.name} (${guest.vmid})` : `${guest.kind} ${guest.vmid}`
}

function guestDeed(guest: Guest, action: NonNullable<Meant['guest']>, { session }: World): Item {
  const { label, icon } = power(action)
  return {
    id: `${action} ${guest.id}`,
    group: label,
    label: `${label} ${guestName(guest)}`,
    hint: `${guest.word}, on ${guest.node}, ${guest.remote}`,
    icon,
    why: has(session, 'operator', guest.remote_id) ? undefined : 'This needs the role operator on this remote.',
    run: () =>
      void operate({
        action,
        targets: [{ remote: String(guest.remote_id), vmid: guest.vmid, name: guest.name, node: guest.node }],
      }),
  }
}

const REMOTE_DEEDS: Record<RemoteVerb, { label: string; icon: typeof IconPlug }> = {
  connect: { label: 'Connect', icon: IconPlug },
  disconnect: { label: 'Disconnect', icon: IconPlugOff },
  try: { label: 'Try now', icon: IconRefresh },
}

function remoteDeeds(remotes: readonly RemoteRow[], verb: RemoteVerb, words: readonly string[], world: World): Item[] {
  const { label, icon } = REMOTE_DEEDS[verb]
  return remotes
    .filter((remote) => fits(remote, words))
    .map((remote) => ({
      id: `${verb} ${remote.id}`,
      group: label,
      label: `${label} ${remote.name}${verb === 'disconnect' ? '…' : ''}`,
      hint: spoken(remote.link.state),
      icon,
      why: verb === 'try' ? forbiddenToTry(world.session, remote) : forbidden(world.session, remote),
      run: () => {
        // What ends is asked about where one sees what: in the dialog of its page.
        if (verb === 'disconnect') {
          void world.router.navigate({ to: '/remotes/$remote', params: { remote: String(remote.id) }, search: { do: 'disconnect' } })
        } else void actOnLink(verb, remote)
      },
    }))
}

function things(guests: readonly Guest[], found: Found, words: readonly string[], { router }: World): Item[] {
  return [
    ...guests.map((guest) => ({
      id: `guest ${guest.id}`,
      group: 'Guests',
      label: guestName(guest),
      hint: `${guest.word}, on ${guest.node}, ${guest.remote}`,
      icon: IconBox,
      run: () =>
        void router.navigate({
          to: '/guests/$remote/$vmid',
          params: { remote: String(guest.remote_id), vmid: String(guest.vmid) },
        }),
    })),
    ...found.nodes
      .filter((node) => fits(node, words))
      .map((node) => ({
        id: `node ${node.id}`,
        group: 'Nodes',
        label: node.name,
        hint: `${spoken(node.word)}, ${node.remote}`,
        icon: IconServer2,
        run: () =>
          void router.navigate({ to: '/nodes/$remote/$node', params: { remote: String(node.remote_id), node: node.name } }),
      })),
    ...found.remotes
      .filter((remote) => fits(remote, words))
      .map((remote) => ({
        id: `remote ${remote.id}`,
        group: 'Remotes',
        label: remote.name,
        hint: spoken(remote.link.state),
        icon: IconServer,
        run: () => void router.navigate({ to: '/remotes/$remote', params: { remote: String(remote.id) } }),
      })),
    ...found.storages
      .filter((storage) => fits(storage, words))
      .map((storage) => ({
        id: `storage ${storage.id}`,
        group: 'Storage',
        label: storage.storage,
        hint: `on ${storage.node}, ${storage.remote}`,
        icon: IconDatabase,
        run: () =>
          void router.navigate({
            to: '/storages/$remote/$storage',
            params: { remote: String(storage.remote_id), storage: storage.storage },
          }),
      })),
  ]
}
