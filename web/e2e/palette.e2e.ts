/** The palette and the keys: everything is found and done without a pointer. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, PHONE } from './support/browser'
import { HOST } from './support/fleets'
import { inaccessible } from './support/look'
import { Muster } from './support/muster'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(HOST)
  muster = await (await Muster.start()).setUp()
  await muster.add('home', sim.address('home'))
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const heading = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor()
const field = (page: Page) => page.getByRole('combobox', { name: /Find anything/ })
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent ?? '')

test('keys lead to every page, and the focus goes to its heading', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/`)
  await heading(page, 'Overview')
  for (const [key, name] of [
    ['n', 'Nodes'],
    ['s', 'Storage'],
    ['r', 'Remotes'],
    ['t', 'Tasks'],
    ['p', 'Operations'],
    ['e', 'Events'],
    ['c', 'Settings'],
    ['a', 'My account'],
    ['g', 'Guests'],
    ['o', 'Overview'],
  ] as const) {
    await page.keyboard.press('g')
    await page.keyboard.press(key)
    await heading(page, name)
    await expect.poll(() => focused(page)).toBe(name)
  }
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached' })
  expect(faults).toEqual([])
})

test('what cannot be loaded to be opened is said over the page, which stays', async () => {
  const { context, page } = await open(browser, { in: muster })
  await context.route(/\/Palette[^/]*\.js$/, (route) => route.abort())
  await page.goto(`${muster.url}/events`)
  await heading(page, 'Events')
  await page.keyboard.press('Control+k')
  const said = page.getByRole('dialog', { name: 'It could not be opened' })
  await said.getByText('Muster does not answer, or was renewed since this window was opened.').waitFor()
  await page.keyboard.press('Escape')
  await said.waitFor({ state: 'detached' })
  await heading(page, 'Events')
  await page.keyboard.press('g')
  await page.keyboard.press('n')
  await heading(page, 'Nodes')
})

test('keys write text where text is written', async () => {
  const { page } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/guests`)
  await heading(page, 'Guests')
  await page.keyboard.press('/')
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('INPUT')
  await page.keyboard.type('gn?/')
  expect(new URL(page.url()).pathname).toBe('/guests')
  expect(await page.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe('gn?/')
})

test('the palette finds pages, guests, nodes and remotes, and acts on them', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/account`)
  await heading(page, 'My account')
  await page.keyboard.press('Control+k')
  await field(page).fill('dns')
  await page.getByRole('option', { name: /dns \(101\)/ }).waitFor()
  expect(await inaccessible(page)).toEqual([])
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/guests\/\d+\/101/)

  await page.keyboard.press('Control+k')
  await field(page).fill('102')
  await page.getByRole('option', { name: /desk \(102\)/ }).waitFor()
  await field(page).fill('home')
  await page.getByRole('option', { name: /^home/ }).waitFor()
  await field(page).fill('there is no such thing')
  await page.getByText('Nothing you may see has all these words.').waitFor()

  // What ends something is confirmed first; the dialog names it.
  await field(page).fill('shut down dns')
  await page.getByRole('option', { name: /Shut down dns/ }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'Shut down dns' }).getByRole('button', { name: 'Cancel' }).click()

  await page.keyboard.press('Control+k')
  await field(page).fill('disconnect home')
  await page.getByRole('option', { name: /Disconnect home/ }).waitFor()
  await page.keyboard.press('Enter')
  const sure = page.getByRole('dialog', { name: 'Disconnect home?' })
  await sure.getByRole('button', { name: 'Disconnect', exact: true }).click()
  await sure.waitFor({ state: 'detached' })
  await page.getByRole('main').getByText('disconnected', { exact: true }).first().waitFor()
  await page.keyboard.press('Control+k')
  await field(page).fill('connect home')
  await page.getByRole('option', { name: /Connect home/ }).waitFor()
  await page.keyboard.press('Enter')
  await expect
    .poll(async () => (await muster.call<{ link: { state: string } }>('GET', '/remotes/home')).link.state, { timeout: 20_000 })
    .toBe('connected')
  expect(faults).toEqual([])
})

test('the search of the header opens it, on a telephone too', async () => {
  const { page, faults } = await open(browser, { in: muster, viewport: PHONE, colorScheme: 'dark' })
  await page.goto(`${muster.url}/`)
  await page.getByRole('button', { name: /^Search/ }).click()
  await field(page).fill('dark')
  await page.getByRole('option', { name: 'Dark colours' }).click()
  await expect.poll(() => muster.call('GET', '/preferences')).toMatchObject({ theme: 'dark' })
  expect(faults).toEqual([])
})
