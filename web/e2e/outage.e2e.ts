/** A link that is cut while somebody looks: everything stays, with its age and the cause, and comes back by itself. */
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { launch, open } from './support/browser'
import { HOST } from './support/fleets'
import { Muster } from './support/muster'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster
let remote: number

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(HOST)
  muster = await (await Muster.start()).setUp()
  remote = await muster.add('home', sim.address('home'))
})

afterEach(() => sim.mend('home'))

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

describe('the cable is pulled while a guest’s page is open', () => {
  test.each([
    { way: { fault: 'refuse' }, cause: /refused/ },
    { way: { fault: 'black-hole', at: 'syn' }, cause: /timed out/ },
    { way: { fault: 'reset', at: 'tls' }, cause: /closed|reset|ended/ },
  ])('$way.fault: the page stays, dimmed, with age and cause, and comes back by itself', async ({ way, cause }) => {
    const { context, page, faults } = await open(browser, { in: muster })
    await page.goto(`${muster.url}/guests/${remote}/101`)
    const main = page.getByRole('main')
    await main.getByText('running', { exact: true }).first().waitFor()
    await main.getByText('live', { exact: true }).first().waitFor()

    await sim.fault('home', way)
    await main.getByText('out of reach').first().waitFor()
    await main.getByText(/^seen .* ago$|^seen just now$/).first().waitFor()
    await main.getByText(cause).first().waitFor()
    // What was known is still there: name, node, addresses' card, figures.
    await page.getByRole('heading', { name: 'dns', level: 1 }).waitFor()
    expect(await main.locator('.stale').count()).toBeGreaterThan(0)
    await main.getByRole('link', { name: 'pve', exact: true }).waitFor()
    const stop = page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Shut down/ })
    expect(await stop.getAttribute('aria-disabled')).toBe('false')
    // A pointer that rests on a button when there comes something to say of it is told so once it moves.
    await expect.poll(() => stop.getAttribute('aria-describedby')).not.toBeNull()
    await stop.hover()
    await page.getByRole('tooltip').getByText(/may fail/i).waitFor()

    await sim.mend('home')
    await main.getByText('live', { exact: true }).first().waitFor()
    await main.getByText('running', { exact: true }).first().waitFor()
    await main.getByText('out of reach').waitFor({ state: 'detached' })
    expect(faults).toEqual([])
    await context.close()
  })

  test('what is pressed then ends as not sent, with the cause, and nothing reaches the host later', async () => {
    const { context, page } = await open(browser, { in: muster })
    await page.goto(`${muster.url}/guests/${remote}/102`)
    const main = page.getByRole('main')
    await main.getByText('stopped', { exact: true }).first().waitFor()
    await sim.fault('home', { fault: 'refuse' })
    await main.getByText('out of reach').first().waitFor()
    await page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Start/ }).click()
    const toast = page.getByRole('alert').filter({ hasText: /not sent/i })
    await toast.getByText(/refused/).waitFor()
    await sim.mend('home')
    await main.getByText('live', { exact: true }).first().waitFor()
    await main.getByText('stopped', { exact: true }).first().waitFor()
    const sent = (await sim.journal('home')).filter((one) => one.method === 'POST' && one.path.endsWith('/qemu/102/status/start'))
    expect(sent).toEqual([])
    await context.close()
  })

  test('Muster is restarted meanwhile: the open page resumes, and a reload shows everything with its age', async () => {
    const { context, page } = await open(browser, { in: muster })
    await page.goto(`${muster.url}/guests/${remote}/101`)
    const main = page.getByRole('main')
    await main.getByText('live', { exact: true }).first().waitFor()
    await sim.fault('home', { fault: 'refuse' })
    await main.getByText('out of reach').first().waitFor()
    await muster.restart()
    await page.getByText(/Live updates stopped/).waitFor({ state: 'detached' })
    await main.getByText('out of reach').first().waitFor()

    await page.reload()
    await page.getByRole('heading', { name: 'dns', level: 1 }).waitFor()
    await main.getByText(/^seen .* ago$/).first().waitFor()
    await main.getByText(/refused/).first().waitFor()
    await page.goto(`${muster.url}/guests`)
    await page.getByRole('row').filter({ hasText: 'dns' }).getByText('out of reach').waitFor()
    await page.getByRole('row').filter({ hasText: 'desk' }).getByText('out of reach').waitFor()

    await sim.mend('home')
    await page.getByRole('row').filter({ hasText: 'dns' }).getByText('running').waitFor()
    await context.close()
  })
})
