/** What becomes of what is asked for: done, failed, with warnings, unknown; and a node that is down in a cluster that answers. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { launch, open } from './support/browser'
import { CLUSTER } from './support/fleets'
import { Muster } from './support/muster'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster
let remote: number

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(CLUSTER)
  muster = await (await Muster.start()).setUp()
  remote = await muster.add('rack', sim.address('rack'))
})

afterEach(() => sim.mend('rack'))

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const press = (page: Page, name: RegExp) => page.getByRole('group', { name: 'Power' }).getByRole('button', { name }).click()

/** The toast that says how it ended. */
const toast = (page: Page, text: RegExp) => page.getByRole('alert').filter({ hasText: text })

async function look(vmid: number) {
  const window = await open(browser, { in: muster })
  await window.page.goto(`${muster.url}/guests/${remote}/${vmid}`)
  await window.page.getByRole('main').getByText('live', { exact: true }).first().waitFor()
  return window
}

test('a start that fails says so with the words of Proxmox VE, and leads to the log', async () => {
  await sim.edit('rack', { do: 'fail-next-task', type: 'qmstart', text: 'no space left on device' })
  const { context, page } = await look(103)
  await press(page, /^Start/)
  await toast(page, /no space left on device/).waitFor()
  expect(await toast(page, /was started/).count()).toBe(0)
  await toast(page, /no space left/).getByRole('link', { name: /log/ }).click()
  await page.getByRole('log', { name: 'Log' }).getByText(/no space left on device/).waitFor()
  await context.close()
})

test('a start with warnings is done, and says that there were some', async () => {
  await sim.edit('rack', { do: 'warn-next-task', type: 'qmstart', count: 2 })
  const { context, page } = await look(103)
  await press(page, /^Start/)
  await toast(page, /warning/).waitFor()
  await page.getByRole('main').getByText('running', { exact: true }).first().waitFor()
  await context.close()
})

test('a stop is confirmed first, naming guest, node and what is lost; success is said at its end only', async () => {
  const { context, page } = await look(103)
  await press(page, /^Stop/)
  const dialog = page.getByRole('dialog')
  await dialog.getByText('three').first().waitFor()
  await dialog.getByText('pve3').first().waitFor()
  await dialog.getByText(/not written to disk is lost/).waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect((await sim.journal('rack')).filter((one) => one.path.endsWith('/status/stop'))).toEqual([])

  await press(page, /^Stop/)
  await dialog.getByRole('button', { name: /^Stop/ }).click()
  await page.getByRole('main').getByText('stopped', { exact: true }).first().waitFor()
  await context.close()
})

test('an answer that is lost: looked for, never repeated, and said as it turns out', async () => {
  await sim.fault('rack', { fault: 'lose-answer', path: '/nodes/pve3/qemu/103/status/start', method: 'POST', times: 1 })
  const { context, page } = await look(103)
  await press(page, /^Start/)
  await page.getByRole('main').getByText('running', { exact: true }).first().waitFor()
  const sent = (await sim.journal('rack')).filter((one) => one.method === 'POST' && one.path.endsWith('/qemu/103/status/start'))
  // One of this test; those before have failed, and warned.
  expect(sent).toHaveLength(3)
  await context.close()
})

test('an outcome that nobody knows is said to be unknown, and a person may decide', async () => {
  await sim.edit('rack', { do: 'hang-next-task', type: 'qmshutdown' })
  const { context, page } = await look(103)
  await press(page, /^Shut down/)
  await page.getByRole('dialog').getByRole('button', { name: /^Shut down/ }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await sim.edit('rack', { do: 'kill-node', node: 'pve3' })
  await page.goto(`${muster.url}/operations?q=status%3Aoutcome_unknown`)
  await page.getByRole('row').filter({ hasText: 'three' }).getByText('outcome unknown', { exact: true }).waitFor()
  await page.getByRole('row').filter({ hasText: 'three' }).getByRole('link').first().click()
  await page.getByText(/does not tell how its task stands/).waitFor()
  await page.getByRole('button', { name: 'Stop watching' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Stop watching' }).click()
  await page.getByText(/decided to wait for it no longer/).first().waitFor()

  // Meanwhile the node is down in a cluster that answers: said of its guests, and of nobody else's.
  await page.goto(`${muster.url}/guests`)
  const row = (name: string) => page.getByRole('row').filter({ hasText: name })
  await row('three').getByText('node down').waitFor()
  await row('one').getByText('running').waitFor()
  await page.goto(`${muster.url}/nodes`)
  await row('pve3').getByText('offline').waitFor()
  await row('pve1').getByText('online').waitFor()
  await page.goto(`${muster.url}/guests/${remote}/103`)
  await page.getByRole('heading', { name: 'three', level: 1 }).waitFor()
  await page.getByRole('main').getByText('node down').first().waitFor()
  const start = page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Start/ })
  await start.hover()
  await page.getByRole('tooltip').getByText(/may fail/i).waitFor()
  await sim.edit('rack', { do: 'revive-node', node: 'pve3' })
  await context.close()
})
