/** Without a pointer: every control of the frame is reached, lists are walked, guests are started and stopped, and the focus is never lost. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open } from './support/browser'
import { CLUSTER } from './support/fleets'
import { Muster, until } from './support/muster'
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

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

/** What has the focus, as a screen reader calls it. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const at = document.activeElement
    return at ? (at.getAttribute('aria-label') ?? at.textContent).trim() : ''
  })

async function look(path: string, name: string) {
  const window = await open(browser, { in: muster })
  await window.page.goto(`${muster.url}${path}`)
  await window.page.getByRole('heading', { name, level: 1 }).waitFor()
  return window
}

const grid = (page: Page) => page.getByRole('grid', { name: 'Guests' })
const rowOf = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })
const menu = (page: Page) => page.getByRole('menu')

test('Tab reaches every control of the frame, and the page is reached without them', async () => {
  const { context, page, faults } = await look('/events', 'Events')
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
  await page.keyboard.press('Tab')
  expect(await focused(page)).toBe('Skip to the page')
  const seen: string[] = []
  for (let step = 0; step < 20; step++) {
    await page.keyboard.press('Tab')
    seen.push(await focused(page))
    // Whatever has the focus can be seen.
    expect(await page.evaluate(() => {
      const box = document.activeElement?.getBoundingClientRect()
      return box !== undefined && box.width > 0 && box.top >= 0 && box.bottom <= innerHeight
    })).toBe(true)
  }
  const order = [/^Muster/, /^Search/, /^live$/, /^Colours/, /^Account of admin/, /^Overview/, /^Guests/, /^Nodes/, /^Storage/, /^Remotes/, /^Tasks/, /^Operations/, /^Events/, /^Settings/]
  expect(order.map((one) => seen.findIndex((name) => one.test(name)))).toEqual(order.map((_, at) => at))

  await page.reload()
  await page.getByRole('heading', { name: 'Events', level: 1 }).waitFor()
  await page.getByRole('link', { name: 'Skip to the page' }).focus()
  await page.keyboard.press('Enter')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('main')
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true)
  expect(faults).toEqual([])
  await context.close()
})

test('menus and dialogs open and close by key, and give the focus back', async () => {
  const { context, page, faults } = await look('/', 'Overview')
  for (const name of [/^Colours/, /^Account of/]) {
    const button = page.getByRole('button', { name })
    await button.focus()
    await page.keyboard.press('Enter')
    await menu(page).waitFor()
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('menuitem')
    await page.keyboard.press('Escape')
    await menu(page).waitFor({ state: 'detached' })
    await expect.poll(() => button.evaluate((one) => one === document.activeElement)).toBe(true)
  }
  const search = page.getByRole('button', { name: /^Search/ })
  await search.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('combobox', { name: /Find anything/ }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('combobox', { name: /Find anything/ }).waitFor({ state: 'detached' })
  await expect.poll(() => search.evaluate((one) => one === document.activeElement)).toBe(true)
  expect(faults).toEqual([])
  await context.close()
})

test('a list is walked by arrows, selected from by Space, and left by Enter', async () => {
  const { context, page, faults } = await look('/guests', 'Guests')
  await rowOf(page, 'three').getByText('stopped').waitFor()
  await grid(page).focus()
  const active = () => page.locator('[role=row][data-active]').innerText()
  await page.keyboard.press('ArrowDown')
  await expect.poll(active).toMatch(/one/)
  await page.keyboard.press('End')
  const end = await active()
  await page.keyboard.press('Home')
  await expect.poll(active).toMatch(/one/)
  expect(end).not.toMatch(/\bone\b/)

  await page.keyboard.press('Space')
  await page.getByText(/1 selected|1 guest selected/).waitFor()
  await page.keyboard.press('Shift+ArrowDown')
  await page.getByText(/2 selected|2 guests selected/).waitFor()
  // The address holds it: who opens that has the same before them.
  await page.reload()
  await page.getByText(/2 selected|2 guests selected/).waitFor()
  await grid(page).focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('Escape')
  await page.getByText(/\d selected|guests? selected/).waitFor({ state: 'detached' })

  await page.keyboard.press('Home')
  await page.keyboard.press('Enter')
  await page.waitForURL(new RegExp(`/guests/${remote}/101`))
  await page.getByRole('heading', { name: 'one', level: 1 }).waitFor()
  expect(faults).toEqual([])
  await context.close()
})

test('the menu of a row opens by key; an action is started from it, and the focus is back in the list', async () => {
  const { context, page, faults } = await look('/guests?q=name:three', 'Guests')
  await rowOf(page, 'three').getByText('stopped').waitFor()
  await grid(page).focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Shift+F10')
  await menu(page).getByText('three').first().waitFor()
  await page.keyboard.press('Escape')
  await menu(page).waitFor({ state: 'detached' })
  await expect.poll(() => grid(page).evaluate((one) => one === document.activeElement)).toBe(true)

  await page.keyboard.press('Shift+F10')
  const start = menu(page).getByRole('menuitem', { name: /^Start/ })
  await start.and(page.locator('[aria-disabled=false]')).waitFor()
  for (let step = 0; step < 12 && !(await start.evaluate((one) => one === document.activeElement)); step++) await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await rowOf(page, 'three').getByText('running').waitFor()

  // What may lose something is asked about first; the answer that loses nothing has the focus.
  await grid(page).focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('Shift+F10')
  const stop = menu(page).getByRole('menuitem', { name: /^Stop/ })
  await stop.and(page.locator('[aria-disabled=false]')).waitFor()
  for (let step = 0; step < 12 && !(await stop.evaluate((one) => one === document.activeElement)); step++) await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog', { name: /Stop three/ })
  await dialog.waitFor()
  await expect.poll(() => focused(page)).toBe('Cancel')
  // Tab stays within the dialog.
  for (let step = 0; step < 8; step++) {
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.closest('[role=dialog]') !== null)).toBe(true)
  }
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect((await sim.journal('rack')).filter((one) => one.path.endsWith('/status/stop'))).toEqual([])
  expect(faults).toEqual([])
  await context.close()
})

test('a guest is stopped by keys alone, and the focus returns to where it was', async () => {
  await muster.call('POST', '/operations', { remote: 'rack', vmid: 103, action: 'start' }).catch(() => undefined)
  await until('three runs', async () => (await muster.call<{ items: unknown[] }>('GET', '/guests?q=name:three+status:running')).items.length === 1)
  const { context, page, faults } = await look(`/guests/${remote}/103`, 'three')
  const button = page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Stop/ })
  await button.and(page.locator('[aria-disabled=false]')).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog', { name: /Stop three/ })
  await dialog.waitFor()
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  await expect.poll(() => button.evaluate((one) => one === document.activeElement)).toBe(true)

  await page.keyboard.press('Enter')
  await dialog.waitFor()
  await expect.poll(() => focused(page)).toBe('Cancel')
  await page.keyboard.press('Tab')
  await expect.poll(() => focused(page)).toBe('Stop')
  await page.keyboard.press('Enter')
  await page.getByRole('main').getByText('stopped', { exact: true }).first().waitFor()
  await expect.poll(() => page.evaluate(() => document.activeElement !== document.body)).toBe(true)
  expect(faults).toEqual([])
  await context.close()
})
