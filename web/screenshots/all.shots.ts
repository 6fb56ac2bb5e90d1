/**
 * A picture of every screen: wide and narrow, light and dark, live and with a cable pulled, in target/screenshots; and the
 * one that README.md shows, in docs/.
 */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, test } from 'vitest'
import { launch, open, PHONE, signIn, WIDE } from '../e2e/support/browser'
import { Muster, until } from '../e2e/support/muster'
import { DEMO } from './fleet'
import { Sim } from '../e2e/support/sim'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = `${root}/target/screenshots`

const SHAPES = [
  { name: 'wide-light', viewport: WIDE, colorScheme: 'light' },
  { name: 'wide-dark', viewport: WIDE, colorScheme: 'dark' },
  { name: 'phone-light', viewport: PHONE, colorScheme: 'light' },
  { name: 'phone-dark', viewport: PHONE, colorScheme: 'dark' },
] as const

let browser: Browser
let sim: Sim
let muster: Muster
let screens: [name: string, path: string][]

beforeAll(async () => {
  await mkdir(folder, { recursive: true })
  browser = await launch()
  sim = await Sim.start(DEMO)
  muster = await (await Muster.start('--pace', 'real')).setUp()
  for (const remote of sim.printed.remotes) {
    await muster.add(remote.name, sim.address(remote.name), { user: 'root@pam', password: 'secret' })
  }
  screens = await everyScreen()
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

/** Addresses of all screens, with things to show on them. */
async function everyScreen(): Promise<[string, string][]> {
  const { items } = await muster.call<{ items: { remote_id: number; vmid: number; name: string; node: string; type: string }[] }>(
    'GET',
    '/guests?q=remote:rack+status:running&limit=1',
  )
  const guest = items[0]
  if (!guest) throw new Error('no guest runs')
  const started = await muster.call<{ id: string }>('POST', '/operations', { remote: 'rack', vmid: guest.vmid, action: 'reboot' })
  await until('the reboot has ended', async () => (await muster.call<{ final: boolean }>('GET', `/operations/${started.id}`)).final, 60)
  const { task } = await muster.call<{ task: string }>('GET', `/operations/${started.id}`)
  const remote = guest.remote_id
  return [
    ['overview', '/'],
    ['guests', '/guests'],
    ['guests-none', '/guests?q=name:nothing-like-this'],
    ['guests-error', '/guests?q=stauts:running'],
    ['guest', `/guests/${remote}/${guest.vmid}`],
    ['guest-tasks', `/guests/${remote}/${guest.vmid}?tab=tasks`],
    ['guest-events', `/guests/${remote}/${guest.vmid}?tab=events`],
    ['guest-missing', `/guests/${remote}/999999`],
    ['nodes', '/nodes'],
    ['node', `/nodes/${remote}/${guest.node}`],
    ['storages', '/storages'],
    ['storage', `/storages/${remote}/local`],
    ['remotes', '/remotes'],
    ['remote', `/remotes/${remote}`],
    ['add-remote', '/add-remote'],
    ['tasks', '/tasks'],
    ['task', `/tasks/${remote}/${encodeURIComponent(task)}`],
    ['operations', '/operations'],
    ['operation', `/operations/${started.id}`],
    ['events', '/events'],
    ['account', '/account'],
    ['settings', '/settings'],
    ['settings-audit', '/settings?tab=audit'],
    ['settings-about', '/settings?tab=about'],
  ]
}

async function shoot(page: Page, path: string, file: string): Promise<void> {
  await page.goto(`${muster.url}${path}`)
  await page.getByRole('heading', { level: 1 }).first().waitFor()
  // Charts, and what a host is asked for anew.
  await page.waitForTimeout(2000)
  await page.screenshot({ path: file })
}

for (const shape of SHAPES) {
  test(`live, ${shape.name}`, async () => {
    const { context, page } = await open(browser, shape)
    await page.goto(`${muster.url}/sign-in`)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    await page.screenshot({ path: `${folder}/sign-in-${shape.name}.png` })
    await signIn(page, muster)
    for (const [name, path] of screens) await shoot(page, path, `${folder}/${name}-${shape.name}.png`)
    if (shape.name === 'wide-light') await shoot(page, '/guests', `${root}/docs/console.png`)
    await context.close()
  }, 300_000)
}

test('with the cable pulled', async () => {
  await sim.fault('rack', { fault: 'black-hole', at: 'syn' })
  await until('the link is known to be down', async () => {
    const { items } = await muster.call<{ items: { name: string; link: { up: boolean } }[] }>('GET', '/remotes')
    return items.some((one) => one.name === 'rack' && !one.link.up)
  }, 120)
  for (const shape of SHAPES) {
    const { context, page } = await open(browser, shape)
    await signIn(page, muster)
    for (const [name, path] of screens) await shoot(page, path, `${folder}/${name}-${shape.name}-cut.png`)
    await context.close()
  }
}, 900_000)
