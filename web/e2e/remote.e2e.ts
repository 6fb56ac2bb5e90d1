/** The life of a remote: disconnected and connected, its certificate changed, its sign-in refused and renewed, removed. */
import { X509Certificate } from 'node:crypto'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, type Window } from './support/browser'
import { Muster } from './support/muster'
import { Sim } from './support/sim'
import { Wizard } from './support/wizard'

const HOSTS = ['off', 'changed', 'rejected', 'gone']

const FLEET = HOSTS.map(
  (name) => `
[[remotes]]
name = "${name}"
version = "9.2"
nodes = [{ name = "${name}" }]
users = [{ userid = "root@pam", password = "secret" }]
guests = [{ vmid = 101, kind = "ct", name = "guest-${name}", node = "${name}", running = true }]
`,
).join('')

let browser: Browser
let sim: Sim
let muster: Muster
let window: Window
let page: Page
const ids = new Map<string, number>()

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(FLEET)
  muster = await (await Muster.start()).setUp()
  for (const name of HOSTS) ids.set(name, await (name === 'rejected' ? addKept(name) : muster.add(name, sim.address(name))))
  window = await open(browser, { in: muster })
  page = window.page
})

afterAll(async () => {
  expect(window?.faults).toEqual([])
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

/** Adds a remote and keeps its password. */
async function addKept(name: string): Promise<number> {
  const { id, certificate } = await muster.call<{ id: string; certificate: { fingerprint: string } }>('POST', '/onboardings', {
    address: sim.address(name),
  })
  await muster.call('POST', `/onboardings/${id}/trust`, { fingerprint: certificate.fingerprint })
  await muster.call('POST', `/onboardings/${id}/sign-in`, { user: 'root@pam', password: 'secret' })
  return (await muster.call<{ remote: { id: number } }>('POST', `/onboardings/${id}/finish`, { name, keep: 'password' })).remote.id
}

const main = () => page.getByRole('main')
const pressMain = (name: string | RegExp) => main().getByRole('button', { name }).first().click()

async function look(name: string): Promise<void> {
  await page.goto(`${muster.url}/remotes/${ids.get(name)}`)
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

const live = () => main().getByText('connected', { exact: true }).first().waitFor()

test('disconnected: nothing reaches the host any more, its guests say by whom; and connected again', async () => {
  await look('off')
  await live()
  const list = await window.context.newPage()
  await list.goto(`${muster.url}/guests`)
  const row = list.getByRole('row').filter({ hasText: 'guest-off' })
  await row.getByText('running').waitFor()

  await page.bringToFront()
  await pressMain('Disconnect…')
  const dialog = page.getByRole('dialog')
  await dialog.getByText(/sends nothing more to it/).waitFor()
  await dialog.getByRole('button', { name: 'Disconnect', exact: true }).click()
  await main().getByText('disconnected', { exact: true }).first().waitFor()
  await main().getByText('admin', { exact: true }).waitFor()
  const reached = (await sim.journal('off')).length

  await list.bringToFront()
  await row.getByText('out of reach').waitFor()
  await list.locator('[role=row][data-stale]').filter({ hasText: 'guest-off' }).waitFor()
  await row.getByTitle(/disconnected by admin/).filter({ visible: true }).first().waitFor()
  await list.close()
  await page.goto(`${muster.url}/guests/${ids.get('off')}/101`)
  await main().getByText(/disconnected by admin/i).first().waitFor()
  await page.getByRole('heading', { name: 'guest-off', level: 1 }).waitFor()
  expect(await main().locator('.stale').count()).toBeGreaterThan(0)
  // Neither what is looked at, nor a restart.
  await muster.restart()
  await page.reload()
  await main().getByText(/disconnected by admin/i).first().waitFor()
  await look('off')
  await main().getByText('disconnected', { exact: true }).first().waitFor()
  expect(await sim.journal('off')).toHaveLength(reached)

  await pressMain('Connect')
  await live()
  await page.goto(`${muster.url}/guests/${ids.get('off')}/101`)
  await main().getByText('live', { exact: true }).first().waitFor()
  await main().getByText('running', { exact: true }).first().waitFor()
})

test('another certificate: the link waits for a person, who sees both and accepts the new one', async () => {
  await look('changed')
  await live()
  await sim.fault('changed', { fault: 'change-certificate', same_ca: false })
  await main().getByText('certificate changed', { exact: true }).first().waitFor()
  const reached = (await sim.journal('changed')).length
  await pressMain('Compare the certificates…')
  const dialog = page.getByRole('dialog')
  const before = dialog.getByRole('region', { name: 'Trusted so far' })
  const now = dialog.getByRole('region', { name: 'Shown now' })
  await now.getByText(/SHA-256/).waitFor()
  const fingerprint = async (at: typeof now) => /[0-9A-F]{2}(:[0-9A-F]{2}){31}/.exec((await at.innerText()).replace(/\s/g, ''))?.[0]
  const shown = (await (await fetch(`${sim.printed.control}/remotes/changed`)).json()) as { ca_pem: string; nodes: { fingerprint: string }[] }
  expect(await fingerprint(now)).toBe(shown.nodes[0]?.fingerprint)
  expect(await fingerprint(before)).toBe(new X509Certificate(shown.ca_pem).fingerprint256)
  await dialog.getByText(/It is not the one that is trusted/).waitFor()

  // Closed: nothing has changed, and nothing was sent.
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  await dialog.waitFor({ state: 'detached' })
  await main().getByText('certificate changed', { exact: true }).first().waitFor()
  expect(await sim.journal('changed')).toHaveLength(reached)

  await pressMain('Compare the certificates…')
  await dialog.getByRole('button', { name: 'Accept the certificate shown now' }).click()
  await dialog.waitFor({ state: 'detached' })
  await live()
  await page.goto(`${muster.url}/guests/${ids.get('changed')}/101`)
  await main().getByText('live', { exact: true }).first().waitFor()
})

test('a password that was changed on the host: the link waits, and is renewed by signing in anew', async () => {
  await look('rejected')
  await live()
  await main().getByText(/a password, sealed/).waitFor()
  await sim.edit('rejected', { do: 'set-user', userid: 'root@pam', password: 'another' })
  await sim.edit('rejected', { do: 'expire-tickets' })
  await main().getByText('credentials rejected', { exact: true }).first().waitFor()
  await pressMain('Sign in anew…')
  await page.getByRole('heading', { name: 'Sign in anew to rejected', level: 1 }).waitFor()
  const wizard = new Wizard(page)
  await wizard.press('Continue')
  await wizard.signIn({ user: 'root', password: 'secret' })
  await wizard.trouble(/^Rejected/).waitFor()
  await wizard.signIn({ user: 'root', password: 'another' })
  await wizard.press('Use it for rejected')
  await wizard.main.getByText('Muster signs in to rejected anew').waitFor()
  await wizard.main.getByText('connected', { exact: true }).waitFor()
  await page.goto(`${muster.url}/guests/${ids.get('rejected')}/101`)
  await main().getByText('live', { exact: true }).first().waitFor()
})

test('removed by its typed name: with what Muster made on the host, and nobody finds it any more', async () => {
  await look('gone')
  await live()
  await pressMain('More')
  await page.getByRole('menuitem', { name: 'Remove…' }).click()
  const dialog = page.getByRole('dialog')
  const name = dialog.getByRole('textbox', { name: /Type its name/ })
  await name.fill('gon')
  expect(await dialog.getByRole('button', { name: 'Go on' }).isDisabled()).toBe(true)
  await name.fill('gone')
  await dialog.getByRole('button', { name: 'Go on' }).click()
  await dialog.getByRole('textbox', { name: 'User', exact: true }).fill('root')
  await dialog.getByRole('textbox', { name: 'Password' }).fill('secret')
  await dialog.getByRole('button', { name: /Sign in/ }).click()
  await page.getByRole('heading', { name: 'gone is removed' }).waitFor()
  await main().getByText(/Removed from the host as well/).waitFor()
  const tokens = (await sim.journal('gone')).filter(({ method, path }) => method === 'DELETE' && path.includes('/token/'))
  expect(tokens).toHaveLength(1)

  await page.getByRole('link', { name: 'To the remotes' }).click()
  await page.getByRole('row').filter({ hasText: 'changed' }).waitFor()
  expect(await page.getByRole('row').filter({ hasText: 'gone' }).count()).toBe(0)
  await page.goto(`${muster.url}/guests`)
  await page.getByRole('row').filter({ hasText: 'guest-off' }).waitFor()
  expect(await page.getByText('guest-gone').count()).toBe(0)
  await page.goto(`${muster.url}/remotes/${ids.get('gone')}`)
  await page.getByText('No such remote').waitFor()
})
