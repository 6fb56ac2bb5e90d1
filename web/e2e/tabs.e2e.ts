/** Many tabs of one browser: one live stream for all of them, one session; and a list that moves nothing under the pointer. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, signIn, watch } from './support/browser'
import { CLUSTER } from './support/fleets'
import { ADMIN, Muster } from './support/muster'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(CLUSTER)
  muster = await (await Muster.start()).setUp()
  await muster.add('rack', sim.address('rack'))
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const streams = async () => (await muster.call<{ streams: number }>('GET', '/system')).streams
const rowOf = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })

/** Another tab of the same browser. */
async function tab(context: BrowserContext, path: string, faults: string[]): Promise<Page> {
  const page = await context.newPage()
  watch(page, faults)
  await page.goto(`${muster.url}${path}`)
  return page
}

/** The tab is looked at, as when somebody comes back to it. */
async function lookAt(page: Page): Promise<void> {
  await page.bringToFront()
  await page.evaluate(() => dispatchEvent(new Event('focus')))
}

test('eight tabs share one stream, and all of them are live and can be used', async () => {
  const { context, page, faults } = await open(browser, { in: muster })
  await expect.poll(streams).toBe(0)
  await page.goto(`${muster.url}/guests`)
  const tabs = [page]
  for (let number = 2; number <= 8; number++) tabs.push(await tab(context, '/guests', faults))
  for (const one of tabs) await rowOf(one, 'three').getByText('stopped').waitFor()
  for (const one of tabs) await one.getByText('live', { exact: true }).first().waitFor()
  expect(await streams()).toBe(1)

  await muster.call('POST', '/operations', { remote: 'rack', vmid: 103, action: 'start' })
  for (const one of tabs) await rowOf(one, 'three').getByText('running').waitFor()
  // Each asks and is answered, while all of them are open.
  for (const one of tabs) {
    await one.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: /^Nodes/ }).click()
    await rowOf(one, 'pve3').getByText('online').waitFor()
  }
  expect(await streams()).toBe(1)

  // The first goes, the others stay live; with the last one the stream ends.
  await tabs[0]?.close()
  await sim.edit('rack', { do: 'kill-node', node: 'pve3' })
  for (const one of tabs.slice(1)) await rowOf(one, 'pve3').getByText('offline').waitFor()
  await sim.edit('rack', { do: 'revive-node', node: 'pve3' })
  expect(faults).toEqual([])
  await context.close()
  await expect.poll(streams, { timeout: 15_000 }).toBe(0)
})

test('without a shared worker each tab that is looked at has a stream, one that is hidden has none', async () => {
  const { context, faults } = await open(browser)
  // Tests never hide a page by themselves: it says so when it is told to.
  await context.addInitScript(() => {
    Object.assign(window, { SharedWorker: undefined })
    let hidden = false
    Object.defineProperty(document, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') })
    addEventListener('hide', (event) => {
      hidden = (event as CustomEvent<boolean>).detail
      document.dispatchEvent(new Event('visibilitychange'))
    })
  })
  const hide = (page: Page, hidden: boolean) => page.evaluate((detail) => void dispatchEvent(new CustomEvent('hide', { detail })), hidden)
  const first = await tab(context, '/guests', faults)
  await signIn(first, muster, '/guests')
  const second = await tab(context, '/guests', faults)
  for (const one of [first, second]) await one.getByText('live', { exact: true }).first().waitFor()
  expect(await streams()).toBe(2)
  await hide(second, true)
  await expect.poll(streams).toBe(1)

  // Back again, it shows what is so now.
  await sim.edit('rack', { do: 'set-guest', vmid: 101, name: 'renamed' })
  await rowOf(first, 'renamed').waitFor()
  await hide(second, false)
  await rowOf(second, 'renamed').waitFor()
  await expect.poll(streams).toBe(2)
  await sim.edit('rack', { do: 'set-guest', vmid: 101, name: 'one' })
  await rowOf(second, 'one').waitFor()

  // Signing out leaves none, and signing in begins one, not more.
  await first.getByRole('button', { name: /^Account of/ }).click()
  await first.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect.poll(streams).toBe(0)
  await first.getByLabel('Name').fill(ADMIN.user)
  await first.getByRole('textbox', { name: 'Password' }).fill(ADMIN.password)
  await first.getByRole('button', { name: 'Sign in' }).click()
  await first.getByText('live', { exact: true }).first().waitFor()
  // Longer than anything waits before it tries again.
  await first.waitForTimeout(1000)
  expect(await streams()).toBe(1)
  expect(faults).toEqual([])
  await context.close()
})

test('signing out in one brings all to the sign-in; signing in brings them back when they are looked at', async () => {
  const { context, page, faults } = await open(browser)
  await signIn(page, muster, '/guests')
  const others = [await tab(context, '/nodes', faults), await tab(context, '/settings?tab=about', faults)]
  for (const one of others) await one.getByRole('navigation', { name: 'Pages' }).waitFor()
  await page.bringToFront()
  await page.getByRole('button', { name: /^Account of/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  for (const one of [page, ...others]) await one.getByRole('button', { name: 'Sign in' }).waitFor()
  for (const one of others) expect(await one.getByRole('navigation', { name: 'Pages' }).count()).toBe(0)

  await page.getByLabel('Name').fill(ADMIN.user)
  await page.getByRole('textbox', { name: 'Password' }).fill(ADMIN.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  for (const [at, name] of ['Nodes', 'Settings'].entries()) {
    const one = others[at]
    if (!one) continue
    // Asked at most every two seconds.
    await one.waitForTimeout(2100)
    await lookAt(one)
    await one.getByRole('heading', { name, level: 1 }).waitFor()
  }
  expect(new URL(others[1]?.url() ?? '').search).toBe('?tab=about')
  expect(faults).toEqual([])
  await context.close()
})

test('what changes moves nothing under the pointer; the new order is offered', async () => {
  const { context, page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/guests?sort=name`)
  await rowOf(page, 'three').waitFor()
  const names = async () =>
    page.getByRole('row').locator('[data-main]').evaluateAll((links) =>
      links
        .map((link) => ({ name: link.textContent.trim(), top: link.getBoundingClientRect().top }))
        .sort((a, b) => a.top - b.top),
    )
  const before = await names()
  expect(before.map(({ name }) => name)).toEqual(['one', 'three', 'two'])

  await rowOf(page, 'one').hover()
  // It would be the last now.
  await sim.edit('rack', { do: 'set-guest', vmid: 101, name: 'zulu' })
  await rowOf(page, 'zulu').waitFor()
  const pill = page.getByRole('button', { name: 'Order changed – show' })
  await pill.waitFor()
  expect((await names()).map(({ name, top }) => ({ name: name === 'zulu' ? 'one' : name, top }))).toEqual(before)

  await pill.click()
  await expect.poll(async () => (await names()).map(({ name }) => name)).toEqual(['three', 'two', 'zulu'])
  // Nobody points at it: it follows by itself.
  await page.getByRole('button', { name: /^Search/ }).hover()
  await sim.edit('rack', { do: 'set-guest', vmid: 101, name: 'one' })
  await expect.poll(async () => (await names()).map(({ name }) => name)).toEqual(['one', 'three', 'two'])
  expect(faults).toEqual([])
  await context.close()
})
