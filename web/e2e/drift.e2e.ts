/** A field of another type than documented costs that field, never the page: `ha.managed`, in every form it has come in. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, open, type Window } from './support/browser'
import { HOST } from './support/fleets'
import { Muster } from './support/muster'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster
let remote: number
let window: Window

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(HOST)
  muster = await (await Muster.start()).setUp()
  remote = await muster.add('home', sim.address('home'))
  window = await open(browser, { in: muster })
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const STATUS = '/nodes/pve/lxc/101/status/current'

test.each<{ value: unknown; drift: boolean }>([
  { value: 1, drift: false },
  { value: 0, drift: false },
  { value: '1', drift: false },
  { value: '0', drift: false },
  { value: true, drift: false },
  { value: false, drift: false },
  { value: '', drift: false },
  { value: 'perhaps', drift: true },
  { value: [], drift: true },
  { value: { a: 1 }, drift: true },
  { value: 7.5, drift: true },
  { value: null, drift: false },
])('ha.managed is $value: the page is complete', async ({ value, drift }) => {
  await sim.edit('home', { do: 'override-field', path: STATUS, pointer: '/ha/managed', value })
  const { page, faults } = window
  await page.goto(`${muster.url}/guests/${remote}/101`)
  const main = page.getByRole('main')
  await page.getByRole('heading', { name: 'dns', level: 1 }).waitFor()
  await main.getByText('live', { exact: true }).first().waitFor()
  await main.getByText('running', { exact: true }).first().waitFor()
  // Complete: figures, configuration, and what may be done.
  await main.getByText(/Memory/).first().waitFor()
  const power = page.getByRole('group', { name: 'Power' })
  expect(await power.getByRole('button', { name: /^Stop/ }).getAttribute('aria-disabled')).toBe('false')
  if (drift) await main.getByText(/another form than/).first().waitFor()
  expect((await page.locator('body').innerText()).toLowerCase()).not.toContain('unreachable')
  expect(faults).toEqual([])
  await sim.edit('home', { do: 'clear-overrides' })
})
