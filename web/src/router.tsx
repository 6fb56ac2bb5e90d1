/** Every address of the console and the page behind it. Pages are loaded when they are first asked for. */
import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { prefix } from './api/client'
import { sessionQuery } from './api/session'
import { askPreferences } from './preferences/preferences'
import { Broken } from './shell/Broken'
import { backFrom } from './shell/ending'
import { NoSuchPage } from './shell/NoSuchPage'
import { Shell } from './shell/Shell'

export interface RouterContext {
  queries: QueryClient
}

/** What stands after the `?` of an address: texts, by name. Which of them a page knows, its route says. */
type Search = Record<string, string | undefined>

function only<K extends string>(...names: K[]): (search: Search) => Partial<Record<K, string>> {
  return (search) => {
    const kept: Partial<Record<K, string>> = {}
    for (const name of names) {
      const value = search[name]
      if (value !== undefined && value !== '') kept[name] = value
    }
    return kept
  }
}

const rootRoute = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  errorComponent: Broken,
  notFoundComponent: NoSuchPage,
})

const signIn = createRoute({
  getParentRoute: () => rootRoute,
  path: '/sign-in',
  validateSearch: only('to'),
  component: lazyRouteComponent(() => import('./pages/sign-in/SignInPage')),
})

const setup = createRoute({
  getParentRoute: () => rootRoute,
  path: '/setup',
  component: lazyRouteComponent(() => import('./pages/sign-in/SetupPage')),
})

/** Everything behind the sign-in. */
const inside = createRoute({
  getParentRoute: () => rootRoute,
  id: 'inside',
  beforeLoad: async ({ context, location }) => {
    const session = await context.queries.ensureQueryData(sessionQuery)
    if (session === null) throw redirect({ to: '/sign-in', search: backFrom(location.href) })
    await askPreferences(context.queries)
    return { session }
  },
  component: Shell,
  errorComponent: Broken,
  notFoundComponent: NoSuchPage,
})

const list = only('q', 'sort')

const overview = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/overview/OverviewPage')),
})
const guests = createRoute({
  getParentRoute: () => inside,
  path: '/guests',
  validateSearch: only('q', 'sort', 'picked'),
  component: lazyRouteComponent(() => import('./pages/guests/GuestsPage')),
})
const guest = createRoute({
  getParentRoute: () => inside,
  path: '/guests/$remote/$vmid',
  validateSearch: only('tab', 'span', 'kind'),
  component: lazyRouteComponent(() => import('./pages/guest/GuestPage')),
})
const nodes = createRoute({
  getParentRoute: () => inside,
  path: '/nodes',
  validateSearch: list,
  component: lazyRouteComponent(() => import('./pages/nodes/NodesPage')),
})
const node = createRoute({
  getParentRoute: () => inside,
  path: '/nodes/$remote/$node',
  validateSearch: only('tab', 'span', 'q', 'sort'),
  component: lazyRouteComponent(() => import('./pages/nodes/NodePage')),
})
const storages = createRoute({
  getParentRoute: () => inside,
  path: '/storages',
  validateSearch: list,
  component: lazyRouteComponent(() => import('./pages/storages/StoragesPage')),
})
const storage = createRoute({
  getParentRoute: () => inside,
  path: '/storages/$remote/$storage',
  validateSearch: only('tab', 'span', 'q', 'sort', 'node'),
  component: lazyRouteComponent(() => import('./pages/storages/StoragePage')),
})
const remotes = createRoute({
  getParentRoute: () => inside,
  path: '/remotes',
  validateSearch: list,
  component: lazyRouteComponent(() => import('./pages/remotes/RemotesPage')),
})
const addRemote = createRoute({
  getParentRoute: () => inside,
  path: '/add-remote',
  validateSearch: only('again', 'id'),
  component: lazyRouteComponent(() => import('./pages/remotes/AddRemotePage')),
})
const remote = createRoute({
  getParentRoute: () => inside,
  path: '/remotes/$remote',
  validateSearch: only('tab', 'do'),
  component: lazyRouteComponent(() => import('./pages/remotes/RemotePage')),
})
const tasks = createRoute({
  getParentRoute: () => inside,
  path: '/tasks',
  validateSearch: list,
  component: lazyRouteComponent(() => import('./pages/tasks/TasksPage')),
})
const task = createRoute({
  getParentRoute: () => inside,
  path: '/tasks/$remote/$upid',
  validateSearch: only('do'),
  component: lazyRouteComponent(() => import('./pages/tasks/TaskPage')),
})
const operations = createRoute({
  getParentRoute: () => inside,
  path: '/operations',
  validateSearch: list,
  component: lazyRouteComponent(() => import('./pages/operations/OperationsPage')),
})
const operation = createRoute({
  getParentRoute: () => inside,
  path: '/operations/$id',
  component: lazyRouteComponent(() => import('./pages/operations/OperationPage')),
})
const events = createRoute({
  getParentRoute: () => inside,
  path: '/events',
  validateSearch: only('kind', 'remote'),
  component: lazyRouteComponent(() => import('./pages/events/EventsPage')),
})
const account = createRoute({
  getParentRoute: () => inside,
  path: '/account',
  validateSearch: only('tab'),
  component: lazyRouteComponent(() => import('./pages/account/AccountPage')),
})
const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  validateSearch: only('tab'),
  component: lazyRouteComponent(() => import('./pages/settings/SettingsPage')),
})

const tree = rootRoute.addChildren([
  signIn,
  setup,
  inside.addChildren([
    overview,
    guests,
    guest,
    nodes,
    node,
    storages,
    storage,
    remotes,
    addRemote,
    remote,
    tasks,
    task,
    operations,
    operation,
    events,
    account,
    settings,
  ]),
])

/** The router of this page. */
export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    basepath: prefix === '' ? '/' : prefix,
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch: (search) => {
      const given = Object.entries(search as Search).filter((entry): entry is [string, string] => !!entry[1])
      return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
    },
    defaultErrorComponent: Broken,
    defaultPreload: 'intent',
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
