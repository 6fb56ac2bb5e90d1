/** Who governs adds people, gives and takes roles, and removes them; what they may follows at once in their windows. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, signIn } from './support/browser'
import { ADMIN, Muster } from './support/muster'

let browser: Browser
let muster: Muster

beforeAll(async () => {
  browser = await launch()
  muster = await (await Muster.start()).setUp()
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
})

const dialog = (page: Page) => page.getByRole('dialog')
const users = (page: Page) => page.getByRole('list', { name: 'Users' }).getByRole('listitem')

async function role(page: Page, number: number, to: string): Promise<void> {
  await page.getByRole('combobox', { name: `Role ${number}`, exact: true }).click()
  await page.getByRole('option', { name: to }).click()
}

test('somebody is added, signs in, loses and gets roles, and is removed', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/settings`)
  await page.getByRole('button', { name: 'Add a user' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill(ADMIN.user)
  await page.getByRole('button', { name: 'Make one up' }).click()
  const password = await page.getByRole('textbox', { name: 'Password' }).inputValue()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByText('There is a user of that name already.').waitFor()
  await page.getByRole('textbox', { name: 'Name' }).fill('ben')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await users(page).filter({ hasText: 'ben' }).getByText('viewer everywhere').waitFor()

  // A viewer is told what is not theirs, and by whom it is.
  const ben = await open(browser)
  await signIn(ben.page, muster, '/settings?tab=users', { user: 'ben', password })
  await ben.page.getByRole('heading', { name: 'This needs the role administrator' }).waitFor()
  await ben.page.getByRole('tab', { name: 'About' }).click()
  await ben.page.getByText('How the server itself fares is told to administrators of everything.').waitFor()

  // What they may changes in their open window once they look at it.
  await page.getByRole('button', { name: 'Roles: ben' }).click()
  await role(page, 1, 'administrator')
  await page.getByRole('button', { name: 'Save' }).click()
  await users(page).filter({ hasText: 'ben' }).getByText('administrator everywhere').waitFor()
  await ben.page.waitForTimeout(2100)
  await ben.page.evaluate(() => dispatchEvent(new Event('focus')))
  await ben.page.getByRole('tab', { name: 'Users' }).click()
  await users(ben.page).getByText(ADMIN.user, { exact: true }).waitFor()

  // The one who is removed is out within a second or so, and would come back to where they were.
  await page.getByRole('button', { name: 'Remove: ben' }).click()
  expect(await dialog(page).getByRole('button', { name: 'Remove' }).isDisabled()).toBe(true)
  await dialog(page).getByRole('textbox').fill('ben')
  await dialog(page).getByRole('button', { name: 'Remove' }).click()
  await ben.page.waitForURL((url) => url.pathname === '/sign-in')
  expect(new URL(ben.page.url()).searchParams.get('to')).toMatch(/^\/settings/)
  expect(await users(page).filter({ hasText: 'ben' }).count()).toBe(0)
  expect([...faults, ...ben.faults]).toEqual([])
})

test('the last administrator stays one, and the screen says why', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/settings`)
  await page.getByRole('button', { name: `Roles: ${ADMIN.user}` }).click()
  await role(page, 1, 'viewer')
  await page.getByRole('button', { name: 'Save' }).click()
  await dialog(page).getByText('Make another user administrator first.', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: `Remove: ${ADMIN.user}` }).click()
  await dialog(page).getByRole('textbox').fill(ADMIN.user)
  await dialog(page).getByRole('button', { name: 'Remove' }).click()
  await dialog(page).getByText('Make another user administrator first.', { exact: true }).waitFor()
  expect(faults).toEqual([])
})

test('the audit log tells what was done, whole and unaltered', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/settings?tab=audit`)
  const rows = page.getByRole('list', { name: 'Audit log, newest first' }).getByRole('listitem')
  await rows.filter({ hasText: 'last administrator' }).first().waitFor()
  await page.getByRole('button', { name: 'Verify the chain' }).click()
  await page.getByText(/^It holds: \d+ rows/).waitFor()
  await rows.filter({ hasText: 'users.create' }).filter({ hasText: 'ok' }).getByRole('button', { name: /^Details/ }).click()
  // With which parameters, and without the password.
  await rows.getByText(/"\(redacted\)"/).waitFor()
  expect(faults).toEqual([])
})

test('an API token is shown once, works, and is ended', async () => {
  const { page, faults } = await open(browser, { in: muster })
  await page.goto(`${muster.url}/account?tab=tokens`)
  await page.getByRole('button', { name: 'Make a token' }).click()
  await page.getByRole('textbox', { name: 'Name' }).fill('monitoring')
  await page.getByRole('radio', { name: 'less' }).check()
  await page.getByRole('button', { name: 'Make it' }).click()
  const secret = (await page.getByLabel('The token', { exact: true }).innerText()).trim()
  const ask = async (path: string) =>
    (await fetch(`${muster.url}/api/v1${path}`, { headers: { authorization: `Bearer ${secret}` } })).status
  expect(await ask('/guests')).toBe(200)
  // A viewer's: less than its owner.
  expect(await ask('/users')).toBe(403)
  await page.getByRole('button', { name: 'I have kept it' }).click()
  expect(await page.getByText(secret).count()).toBe(0)
  await page.getByRole('button', { name: 'End the token monitoring' }).click()
  await dialog(page).getByRole('button', { name: 'End it' }).click()
  await page.getByText('No API token yet').waitFor()
  expect(await ask('/guests')).toBe(401)
  expect(faults).toEqual([])
})
