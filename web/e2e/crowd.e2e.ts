/** Ten thousand guests in one list, or as many as `MUSTER_GUESTS` says: `make soak` takes a hundred thousand. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open } from './support/browser'
import { Muster, until } from './support/muster'
import { Sim } from './support/sim'

const CLUSTER = 10_000
const MANY = Number(process.env.MUSTER_GUESTS ?? CLUSTER)
const CLUSTERS = Array.from({ length: Math.ceil(MANY / CLUSTER) }, (_, at) => `many${at + 1}`)
const LAST = CLUSTERS.at(-1) ?? 'many1'

const FLEET = CLUSTERS.map(
  (name, at) => `
[[remotes]]
name = "${name}"
version = "9.2"
cluster = "${name}"
nodes = [${Array.from({ length: 8 }, (_, node) => `{ name = "n${node + 1}" }`).join(', ')}]
users = [{ userid = "root@pam", password = "secret" }]
fill = { count = ${Math.min(CLUSTER, MANY - at * CLUSTER)} }
`,
).join('')

/** As the console writes a number. */
const counted = (count: number) => count.toLocaleString('en').replaceAll(',', '\\s')

let browser: Browser
let sim: Sim
let muster: Muster

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(FLEET)
  // Looked at as often as in earnest: so many rows a hundred times as often are another test.
  muster = await (await Muster.start('--pace', 'real')).setUp()
  for (const name of CLUSTERS) await muster.add(name, sim.address(name))
}, 60_000 * CLUSTERS.length)

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const shown = (page: Page, text: RegExp) => page.getByRole('status').filter({ hasText: text }).first().waitFor()

test('the list opens, is scrolled to its end, filtered to one, and its selection is bound', async () => {
  const { context, page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/guests?sort=vmid`)
  const list = page.getByRole('grid', { name: 'Guests' })
  await shown(page, new RegExp(`^${counted(MANY)} guests$`))
  const { items: [last] } = await muster.call<{ items: { vmid: number }[] }>('GET', '/guests?sort=-vmid&limit=1')
  if (!last) throw new Error('no guest')
  const end = list.getByText(String(last.vmid), { exact: true })
  expect(await end.count()).toBe(0)
  await list.focus()
  await page.keyboard.press('End')
  await end.first().waitFor()
  // Only what is seen is in the document.
  expect(await list.getByRole('row').count()).toBeLessThan(100)
  await page.keyboard.press('Home')
  await expect.poll(() => end.count()).toBe(0)

  await page.keyboard.press('Control+a')
  await shown(page, new RegExp(`^the first 500 of ${counted(MANY)} selected$`))

  await page.keyboard.press('/')
  await page.keyboard.type(`remote:${LAST} vmid:${last.vmid}`)
  await shown(page, /^1 guest$/)
  await end.waitFor()
  expect(faults).toEqual([])
  await context.close()
})

test('what happens to one of them is told, and all of them stay when their cluster is out of reach', async () => {
  const { context, page, faults } = await open(browser, { in: muster })
  const { items: [one] } = await muster.call<{ items: { vmid: number }[] }>('GET', `/guests?q=remote:${LAST}+status:running&limit=1`)
  if (!one) throw new Error('no guest runs')
  await page.goto(`${muster.url}/guests?q=${encodeURIComponent(`remote:${LAST} vmid:${one.vmid}`)}`)
  const row = page.getByRole('row').filter({ hasText: String(one.vmid) })
  await row.getByText('running').first().waitFor()
  await sim.edit(LAST, { do: 'set-guest', vmid: one.vmid, running: false })
  // A listing every ten seconds.
  await row.getByText('stopped').first().waitFor({ timeout: 30_000 })

  await sim.fault(LAST, { fault: 'refuse' })
  await until('the link is known to be down', async () => !(await muster.call<{ link: { up: boolean } }>('GET', `/remotes/${LAST}`)).link.up, 60)
  await page.goto(`${muster.url}/guests`)
  await shown(page, new RegExp(`^${counted(MANY)} guests$`))
  await page.getByRole('link', { name: /^1 remote is not connected/ }).waitFor()
  expect(faults).toEqual([])
  await sim.mend(LAST)
  await context.close()
})
