/** From the set-up link to a live fleet; and how a person gets in, out, and in again. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, signIn, type Window } from './support/browser'
import { HOST } from './support/fleets'
import { ADMIN, Muster } from './support/muster'
import { Sim } from './support/sim'
import { code } from './support/totp'
import { Wizard } from './support/wizard'

let browser: Browser
let sim: Sim
let muster: Muster
/** Whoever set it up, all along. */
let window: Window

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(HOST)
  muster = await Muster.start()
  window = await open(browser)
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const overview = (page: Page) => page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()

async function fillSetup(page: Page, password = ADMIN.password, again = password): Promise<void> {
  await page.getByRole('textbox', { name: 'Name' }).fill(ADMIN.user)
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(password)
  await page.getByRole('textbox', { name: 'Password, again' }).fill(again)
  await page.getByRole('button', { name: 'Make me the administrator' }).click()
}

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: `Account of ${ADMIN.user}` }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in to Muster' }).waitFor()
}

test('the set-up link makes the administrator, once', async () => {
  const { page, faults } = window
  // Nobody has an account: the sign-in says so, and where the link is.
  await page.goto(`${muster.url}/tasks`)
  await page.getByText('Nobody has set up this Muster yet').waitFor()

  const link = await muster.setupLink()
  const late = await open(browser)
  await late.page.goto(link)
  await late.page.getByRole('button', { name: 'Make me the administrator' }).waitFor()

  await page.goto(link)
  await page.getByRole('button', { name: 'Make me the administrator' }).waitFor()
  // The secret is neither left in the address nor in the history.
  expect(page.url()).toBe(`${muster.url}/setup`)
  await fillSetup(page, 'short')
  await page.getByText(/The password has 5 letters/).waitFor()
  await fillSetup(page, ADMIN.password, 'another one altogether')
  await page.getByText('This is not the same password.').waitFor()
  await fillSetup(page)
  await overview(page)
  await page.getByRole('heading', { name: 'Add your first host' }).waitFor()

  // The same link in a window where it was open before, and anew.
  await fillSetup(late.page)
  await late.page.getByText(/This Muster has an administrator/).waitFor()
  await late.page.goto(link)
  await late.page.reload()
  await late.page.getByText(/This Muster has an administrator/).waitFor()
  await late.page.getByRole('link', { name: 'To the sign-in' }).click()
  await late.page.getByRole('button', { name: 'Sign in' }).waitFor()
  expect(await late.page.getByText('Nobody has set up this Muster yet').count()).toBe(0)
  expect([...faults, ...late.faults]).toEqual([])
  await late.context.close()
})

test('the first host is added, and its guests appear in a window that was open before', async () => {
  const { context, page, faults } = window
  const list = await context.newPage()
  await list.goto(`${muster.url}/guests`)
  await list.getByRole('heading', { name: 'Guests', level: 1 }).waitFor()
  await list.evaluate(() => void ((globalThis as unknown as { kept: boolean }).kept = true))

  await page.bringToFront()
  await page.evaluate(() => void ((globalThis as unknown as { kept: boolean }).kept = true))
  await page.getByRole('link', { name: 'Add a remote' }).click()
  const wizard = new Wizard(page)
  await wizard.address(sim.address('home'))
  await wizard.step('Certificate')
  // What is to be compared is the fingerprint that the host has.
  const { fingerprint } = sim.remote('home').nodes[0] ?? { fingerprint: 'missing' }
  expect((await wizard.main.innerText()).replace(/\s/g, '')).toContain(fingerprint)
  await wizard.trust()
  await wizard.signIn({ user: 'root', password: 'secret' })
  await wizard.finish('home')
  await wizard.main.getByText('All of it was read.').waitFor()
  await wizard.main.getByText('connected', { exact: true }).waitFor()

  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: /^Overview/ }).click()
  await overview(page)
  await page.getByRole('main').getByRole('link', { name: /running/ }).first().waitFor()
  for (const name of ['dns', 'desk']) await list.getByRole('row').filter({ hasText: name }).waitFor()
  await list.getByRole('row').filter({ hasText: 'dns' }).getByText('running').waitFor()
  for (const one of [page, list]) {
    expect(await one.evaluate(() => (globalThis as unknown as { kept?: boolean }).kept)).toBe(true)
  }
  expect(faults).toEqual([])
  await list.close()
})

test('who signs out is out, and signs in again', async () => {
  const { page, faults } = window
  await page.goto(`${muster.url}/guests`)
  await page.getByRole('row').filter({ hasText: 'dns' }).waitFor()
  await signOut(page)
  // Nothing that was seen is left, be it by the way back.
  await page.goBack()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  expect(await page.getByText('dns').count()).toBe(0)

  await page.getByRole('textbox', { name: 'Name' }).fill(ADMIN.user)
  await page.getByRole('textbox', { name: 'Password' }).fill('not the right one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Name or password is not right.').waitFor()
  expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe(ADMIN.user)
  await signIn(page, muster)
  await overview(page)
  expect(faults).toEqual([])
})

test('a session that is ended elsewhere leads to the sign-in, and from there to the same address', async () => {
  const { page, faults } = window
  await page.goto(`${muster.url}/guests?q=status%3Arunning`)
  await page.getByRole('row').filter({ hasText: 'dns' }).waitFor()

  const other = await open(browser)
  await signIn(other.page, muster, '/account?tab=sessions')
  await other.page.getByRole('button', { name: 'End all others' }).click()
  await other.page.getByRole('dialog').getByRole('button', { name: 'End them' }).click()
  await other.page.getByText('1 session.').waitFor()
  await other.context.close()

  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  expect(await page.getByText('dns').count()).toBe(0)
  await page.getByRole('textbox', { name: 'Name' }).fill(ADMIN.user)
  await page.getByRole('textbox', { name: 'Password' }).fill(ADMIN.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('row').filter({ hasText: 'dns' }).waitFor()
  const { pathname, search } = new URL(page.url())
  expect(pathname + search).toBe('/guests?q=status%3Arunning')
  expect(faults).toEqual([])
})

test('a second factor is turned on, asked for, and its recovery codes work once', async () => {
  const { page, faults } = window
  await page.goto(`${muster.url}/account?tab=factor`)
  await page.getByRole('textbox', { name: 'Your password' }).fill(ADMIN.password)
  await page.getByRole('button', { name: 'Set up a second factor' }).click()
  const secret = await page.getByLabel('The secret', { exact: true }).innerText()
  await page.getByRole('textbox', { name: /The code that it shows now/ }).fill('12345')
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await page.getByText(/This code is not right/).waitFor()
  await page.getByRole('textbox', { name: /The code that it shows now/ }).fill(code(secret))
  await page.getByRole('button', { name: 'Turn it on' }).click()
  const recovery = (await page.getByLabel('Recovery codes', { exact: true }).innerText()).trim().split('\n')
  expect(recovery).toHaveLength(10)
  await page.getByRole('button', { name: 'I have kept them' }).click()
  await page.getByRole('heading', { name: 'On', exact: true }).waitFor()
  await page.getByText('10 recovery codes left.').waitFor()

  const enter = async (given: string) => {
    await page.getByRole('textbox', { name: 'Code' }).fill(given)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  const password = async () => {
    await page.getByRole('textbox', { name: 'Name' }).fill(ADMIN.user)
    await page.getByRole('textbox', { name: 'Password' }).fill(ADMIN.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await signOut(page)
  await password()
  await enter('12345')
  await page.getByText('This code is not right, or was used already.').waitFor()
  await enter(code(secret, 1))
  await overview(page)

  await signOut(page)
  await password()
  await enter(recovery[0] ?? '')
  await overview(page)
  await page.goto(`${muster.url}/account?tab=factor`)
  await page.getByText('9 recovery codes left.').waitFor()
  await signOut(page)
  await password()
  await enter(recovery[0] ?? '')
  await page.getByText('This code is not right, or was used already.').waitFor()
  expect(faults).toEqual([])
})
