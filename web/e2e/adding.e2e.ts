/** Adding a remote: each way of signing in, and each way in which it fails: said in its own words, where it was started, with nothing lost. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { launch, open, type Window } from './support/browser'
import { Muster } from './support/muster'
import { Sim } from './support/sim'
import { code } from './support/totp'
import { type SignIn, Wizard } from './support/wizard'

const SECRET = '0b75e0e2-51f5-4c4e-a6b8-5e1b0f2d5a11'
const TOTP = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
/** A host for every way, one that is managed from the start, and one on which everything fails. */
const NAMES = ['minted', 'kept', 'token', 'factor', 'realm', 'known', 'sour']

const FLEET = NAMES.map(
  (name) => `
[[remotes]]
name = "${name}"
version = "9.2"
nodes = [{ name = "${name}" }]
guests = [{ vmid = 101, kind = "ct", name = "guest-${name}", node = "${name}", running = true }]

[[remotes.users]]
userid = "root@pam"
password = "secret"
tokens = [{ name = "ci", secret = "${SECRET}", privsep = false }]

[[remotes.users]]
userid = "anna@pve"
password = "secret"
acl = [{ path = "/", role = "Administrator" }]

[[remotes.users]]
userid = "carol@pve"
password = "secret"
totp_secret = "${TOTP}"
acl = [{ path = "/", role = "Administrator" }]

[[remotes.users]]
userid = "nobody@pve"
password = "secret"
`,
).join('')

let browser: Browser
let sim: Sim
let muster: Muster
let window: Window
let page: Page

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(FLEET)
  muster = await (await Muster.start()).setUp()
  await muster.add('known', sim.address('known'))
  window = await open(browser, { in: muster })
  page = window.page
})

afterEach(() => sim.mend('sour'))

afterAll(async () => {
  expect(window?.faults).toEqual([])
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const ROOT: SignIn = { user: 'root', realm: 'pam', password: 'secret' }
const TOKEN: SignIn = { token: `root@pam!ci=${SECRET}` }
const CAROL: SignIn = { user: 'carol', realm: 'pve', password: 'secret' }

/** What was sent to a host, by method and path. */
async function sent(remote: string, what: RegExp): Promise<string[]> {
  const line = ({ method, path }: { method: string; path: string }) => `${method} ${decodeURIComponent(path.replace('/api2/json', ''))}`
  return (await sim.journal(remote)).map(line).filter((one) => what.test(one))
}

const MINTED = /^POST \/access\/users\/[^/]+\/token\//

describe('a remote is added', () => {
  const ways: { name: string; way: string; as: SignIn; kept?: RegExp; says: RegExp; minted: boolean }[] = [
    { name: 'minted', way: 'user and password, with a token that Muster makes', as: ROOT, says: /the token root@pam!/, minted: true },
    { name: 'kept', way: 'user and password, which is kept', as: ROOT, kept: /^The password itself/, says: /a password, sealed/, minted: false },
    { name: 'token', way: 'an API token', as: TOKEN, says: /an API token/, minted: false },
    { name: 'factor', way: 'a user with a second factor', as: CAROL, says: /the token carol@pve!/, minted: true },
    { name: 'realm', way: 'a user of the realm pve', as: { user: 'anna', realm: 'pve', password: 'secret' }, says: /the token anna@pve!/, minted: true },
  ]
  test.each(ways)('$way', async ({ name, as, kept, says, minted }) => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address(name))
    await wizard.trust()
    await wizard.signIn(as)
    if (as === CAROL) {
      await wizard.step('Second factor')
      await wizard.code('12345')
      await wizard.trouble(/^Rejected/).waitFor()
      await wizard.code(code(TOTP))
    }
    await wizard.step('Rights and name')
    await wizard.finish(name, kept)
    await wizard.main.getByText('All of it was read.').waitFor()
    expect(await sent(name, MINTED)).toHaveLength(minted ? 1 : 0)

    await page.getByRole('link', { name: `To ${name}` }).click()
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    await page.getByRole('main').getByText(says).first().waitFor()
    await page.getByRole('main').getByText('connected', { exact: true }).first().waitFor()
  })

  test('all of them are there', async () => {
    await page.goto(`${muster.url}/guests`)
    for (const name of NAMES.filter((one) => one !== 'sour')) await page.getByRole('row').filter({ hasText: `guest-${name}` }).waitFor()
  })
})

describe('no connection comes about: the address stays, with the reason', () => {
  test.each<{ what: string; fault?: { fault: string; [field: string]: unknown }; address?: string; says: RegExp }>([
    { what: 'the name does not resolve', address: 'no-such-host.invalid', says: /No such name/ },
    { what: 'nothing listens', fault: { fault: 'refuse' }, says: /Nothing listens there/ },
    { what: 'nothing answers', fault: { fault: 'black-hole', at: 'syn' }, says: /It does not answer/ },
    { what: 'it speaks plain HTTP', fault: { fault: 'plain-http' }, says: /speak|TLS/ },
    { what: 'it is no address', address: 'pve example', says: /That is no address/ },
  ])('$what', async ({ fault, address = sim.address('sour'), says }) => {
    if (fault) await sim.fault('sour', fault)
    const wizard = await Wizard.open(page, muster)
    await wizard.address(address)
    await wizard.trouble(says).waitFor()
    await wizard.step('Address')
    expect(await wizard.main.getByRole('textbox', { name: 'Address' }).inputValue()).toBe(address)
    expect(await page.getByRole('alert').count()).toBe(1)

    // It is mended meanwhile: the same step, once more.
    await sim.mend('sour')
    await wizard.address(sim.address('sour'))
    await wizard.step('Certificate')
    await wizard.leave()
  })
})

describe('what answers is not what is looked for', () => {
  test('another web server: said once its certificate was trusted', async () => {
    await sim.fault('sour', { fault: 'not-proxmox' })
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.trust()
    await wizard.trouble(/That is not Proxmox VE/).waitFor()
    await wizard.back()
    await wizard.step('Address')
    expect(await wizard.main.getByRole('textbox', { name: 'Address' }).inputValue()).toBe(sim.address('sour'))
    await wizard.leave()
  })

  test('a certificate of which the person says no: nothing was sent', async () => {
    const before = (await sim.journal('sour')).length
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.main.getByText('Is this your host?').waitFor()
    await wizard.leave()
    await page.getByRole('row').filter({ hasText: 'known' }).waitFor()
    expect(await page.getByRole('row').filter({ hasText: sim.address('sour') }).count()).toBe(0)
    expect(await sim.journal('sour')).toHaveLength(before)
    expect(await muster.call<{ items: unknown[] }>('GET', '/remotes?q=sour')).toMatchObject({ items: [] })
  })

  test('a host that is managed already: its name, and what may be done instead', async () => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('known'))
    await wizard.trouble('Managed already, as known').waitFor()
    await wizard.main.getByRole('link', { name: 'Sign in anew to known' }).waitFor()
    await wizard.main.getByRole('link', { name: 'Open known' }).click()
    await page.getByRole('heading', { name: 'known', level: 1 }).waitFor()
  })
})

describe('the sign-in fails: said in its step, with what was typed', () => {
  test('a wrong password, then the right one', async () => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.trust()
    await wizard.signIn({ user: 'root', password: 'not this one' })
    await wizard.trouble(/^Rejected/).waitFor()
    await wizard.step('Sign-in')
    expect(await wizard.main.getByRole('textbox', { name: 'User', exact: true }).inputValue()).toBe('root')
    // Back and forth loses nothing.
    await wizard.back()
    await wizard.step('Certificate')
    await wizard.press('Continue')
    expect(await wizard.main.getByRole('textbox', { name: 'User', exact: true }).inputValue()).toBe('root')
    await wizard.signIn(ROOT)
    await wizard.step('Rights and name')
    await wizard.leave()
    expect(await sent('sour', MINTED)).toEqual([])
  })

  test('a token that the host does not know', async () => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.trust()
    await wizard.signIn({ token: 'root@pam!ci=00000000-0000-4000-8000-000000000000' })
    await wizard.trouble(/^Rejected/).waitFor()
    expect(await wizard.main.getByRole('textbox', { name: 'Token ID' }).inputValue()).toBe('root@pam!ci')
    await wizard.signIn(TOKEN)
    await wizard.step('Rights and name')
    await wizard.leave()
  })

  test('a wrong code, and back to the sign-in', async () => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.trust()
    await wizard.signIn(CAROL)
    await wizard.code('12345')
    await wizard.trouble(/^Rejected/).waitFor()
    await wizard.step('Second factor')
    await wizard.back()
    await wizard.step('Sign-in')
    expect(await wizard.main.getByRole('textbox', { name: 'User', exact: true }).inputValue()).toBe('carol')
    await wizard.signIn(ROOT)
    await wizard.step('Rights and name')
    await wizard.leave()
  })

  test('an account that may do nothing: which privileges it lacks', async () => {
    const wizard = await Wizard.open(page, muster)
    await wizard.address(sim.address('sour'))
    await wizard.trust()
    await wizard.signIn({ user: 'nobody', realm: 'pve', password: 'secret' })
    await wizard.step('Rights and name')
    await wizard.main.getByText(/VM\.Audit \(lacking\)/).first().waitFor()
    expect(await wizard.main.getByRole('radio', { name: /^A token that may look and switch/ }).isDisabled()).toBe(true)
    await wizard.back()
    await wizard.step('Sign-in')
    await wizard.leave()
  })
})
