/**
 * Every screen, wide and on a telephone, light and dark, live and with the cable pulled: nothing runs over, nothing lies on
 * anything else, nobody is kept out, and nothing goes wrong unseen.
 */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, open, PHONE, WIDE, type Window } from './support/browser'
import { inaccessible, misplaced } from './support/look'
import { Muster, until } from './support/muster'
import { Sim } from './support/sim'

const FLEET = `
seed = 3

[[remotes]]
name = "rack"
version = "9.2"
cluster = "rack"
nodes = [{ name = "rack1" }, { name = "rack2" }]
fill = { count = 14, ha = 3 }
storages = [{ name = "vault", type = "nfs", content = "images,backup", shared = true, total = 8796093022208, used = 8600000000000 }]
users = [{ userid = "root@pam", password = "secret" }]

[[remotes]]
name = "oddball"
version = "9.2"
nodes = [{ name = "odd" }]
odd_types = true
fill = { count = 6 }
users = [{ userid = "root@pam", password = "secret" }]
`

/** What the addresses of the screens are made of. */
interface Fleet {
  rack: number
  oddball: number
  guest: number
  node: string
  task: string
  operation: string
}

interface Screen {
  name: string
  path: (fleet: Fleet) => string
  /** Opens what lies over the page. */
  act?: (page: Page) => Promise<void>
}

const screen = (name: string, path: Screen['path'] | string, act?: Screen['act']): Screen => ({
  name,
  path: typeof path === 'string' ? () => path : path,
  ...(act ? { act } : {}),
})

/** What shows something of a host: with the cable pulled it looks different. */
const OF_HOSTS: Screen[] = [
  screen('overview', '/'),
  screen('guests', '/guests'),
  screen('guest', ({ rack, guest }) => `/guests/${rack}/${guest}`),
  screen('guest, tasks', ({ rack, guest }) => `/guests/${rack}/${guest}?tab=tasks`),
  screen('guest, events', ({ rack, guest }) => `/guests/${rack}/${guest}?tab=events`),
  screen('guest, stop', ({ rack, guest }) => `/guests/${rack}/${guest}`, async (page) => {
    await page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Stop/ }).click()
    await page.getByRole('dialog').getByText(/not written to disk is lost/).waitFor()
  }),
  screen('nodes', '/nodes'),
  screen('node', ({ rack, node }) => `/nodes/${rack}/${node}`),
  screen('node, guests', ({ rack, node }) => `/nodes/${rack}/${node}?tab=guests`),
  screen('node, tasks', ({ rack, node }) => `/nodes/${rack}/${node}?tab=tasks`),
  screen('storages', '/storages'),
  screen('storage', ({ rack }) => `/storages/${rack}/vault`),
  screen('storage, guests', ({ rack }) => `/storages/${rack}/local?tab=guests`),
  screen('storage, tasks', ({ rack }) => `/storages/${rack}/local?tab=tasks`),
  screen('remotes', '/remotes'),
  screen('remote', ({ rack }) => `/remotes/${rack}`),
  screen('remote, coverage', ({ rack }) => `/remotes/${rack}?tab=coverage`),
  screen('remote, drift', ({ oddball }) => `/remotes/${oddball}?tab=drift`),
  screen('remote, nodes', ({ rack }) => `/remotes/${rack}?tab=nodes`),
  screen('remote, high availability', ({ rack }) => `/remotes/${rack}?tab=ha`),
  screen('tasks', '/tasks'),
  screen('task', ({ rack, task }) => `/tasks/${rack}/${encodeURIComponent(task)}`),
  screen('operations', '/operations'),
  screen('operation', ({ operation }) => `/operations/${operation}`),
  screen('events', '/events'),
]

/** What looks the same however the hosts are. */
const OTHERS: Screen[] = [
  screen('guests, none that fits', '/guests?q=name:nothing-like-this'),
  screen('guests, a query that is wrong', '/guests?q=stauts:running'),
  screen('guest that is not there', ({ rack }) => `/guests/${rack}/999999`),
  screen('node that is not there', ({ rack }) => `/nodes/${rack}/nowhere`),
  screen('storage that is not there', ({ rack }) => `/storages/${rack}/nowhere`),
  screen('remote that is not there', '/remotes/999'),
  screen('adding a remote', '/add-remote'),
  screen('operation that is not there', '/operations/0193e9a0-0000-7000-8000-000000000000'),
  screen('account', '/account'),
  screen('account, second factor', '/account?tab=factor'),
  screen('account, sessions', '/account?tab=sessions'),
  screen('account, tokens', '/account?tab=tokens'),
  screen('settings', '/settings'),
  screen('settings, tokens', '/settings?tab=tokens'),
  screen('settings, sessions', '/settings?tab=sessions'),
  screen('settings, audit', '/settings?tab=audit'),
  screen('settings, about', '/settings?tab=about'),
  screen('no such page', '/no/such/page'),
  screen('keys', '/events', async (page) => {
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  }),
  screen('palette', '/events', async (page) => {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: /Find anything/ }).fill('rack')
    await page.getByRole('option', { name: /^rack/ }).first().waitFor()
  }),
]

let browser: Browser
let sim: Sim
let muster: Muster

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(FLEET)
  muster = await Muster.start()
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

/** What is asked for has come: no place is kept for it any more. */
async function settled(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
  await page.waitForFunction(() => document.querySelectorAll('.mantine-Skeleton-root, [role=row][aria-busy=true]').length === 0)
  await page.waitForTimeout(100)
}

/** All that can be wrong with a screen: its places at both widths, and what keeps people out in both colours. */
async function wrong(page: Page): Promise<string[]> {
  const found: string[] = []
  await page.setViewportSize(WIDE)
  await settled(page)
  found.push(...(await misplaced(page)).map((one) => `wide: ${one}`))
  found.push(...(await inaccessible(page)).map((one) => `light: ${one}`))
  // In the dark nothing but colours is different.
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.locator('html[data-mantine-color-scheme=dark]').waitFor()
  found.push(...(await inaccessible(page, ['color-contrast'])).map((one) => `dark: ${one}`))
  await page.emulateMedia({ colorScheme: 'light' })
  if (/unreachable/i.test(await page.locator('body').innerText())) found.push('says "unreachable"')
  await page.setViewportSize(PHONE)
  await settled(page)
  found.push(...(await misplaced(page)).map((one) => `phone: ${one}`))
  return found
}

describe('before anybody has signed in', () => {
  test('set-up', async () => {
    const { context, page, faults } = await open(browser)
    await page.goto(await muster.setupLink())
    await page.getByLabel('Name').waitFor()
    expect([...(await wrong(page)), ...faults]).toEqual([])
    await context.close()
  })
})

describe('with a fleet', () => {
  let fleet: Fleet

  beforeAll(async () => {
    await muster.setUp()
    const rack = await muster.add('rack', sim.address('rack'))
    const oddball = await muster.add('oddball', sim.address('oddball'))
    const { items } = await muster.call<{ items: { vmid: number; node: string }[] }>('GET', '/guests?q=remote:rack+status:running&limit=1')
    const [guest] = items
    if (!guest) throw new Error('no guest runs')
    const { id } = await muster.call<{ id: string }>('POST', '/operations', { remote: 'rack', vmid: guest.vmid, action: 'reboot' })
    await until('the reboot has ended', async () => (await muster.call<{ final: boolean }>('GET', `/operations/${id}`)).final)
    const { task } = await muster.call<{ task: string }>('GET', `/operations/${id}`)
    fleet = { rack, oddball, guest: guest.vmid, node: guest.node, task, operation: id }
  })

  test('sign-in; and set-up, that is done', async () => {
    const { context, page, faults } = await open(browser)
    await page.goto(`${muster.url}/sign-in`)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    const found = await wrong(page)
    await page.goto(`${muster.url}/setup`)
    expect([...found, ...(await wrong(page)), ...faults]).toEqual([])
    await context.close()
  })

  describe.each([
    { how: 'live', cut: false, screens: [...OF_HOSTS, ...OTHERS] },
    { how: 'with the cable pulled', cut: true, screens: OF_HOSTS },
  ])('$how', ({ cut, screens }) => {
    let window: Window

    beforeAll(async () => {
      window = await open(browser, { in: muster })
      if (!cut) return
      await sim.fault('rack', { fault: 'refuse' })
      await until('the link is known to be down', async () => !(await muster.call<{ link: { up: boolean } }>('GET', '/remotes/rack')).link.up)
    })

    afterAll(() => window.context.close())

    test.each(screens)('$name', async ({ path, act }) => {
      const { page, faults } = window
      faults.length = 0
      await page.setViewportSize(WIDE)
      await page.goto(`${muster.url}${path(fleet)}`)
      await settled(page)
      await act?.(page)
      expect([...(await wrong(page)), ...faults]).toEqual([])
    })
  })
})
