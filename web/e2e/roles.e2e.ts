/** What people see and may do who do not govern all: a viewer, and a person limited to one remote. */
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, type Window } from './support/browser'
import { CLUSTER, HOST } from './support/fleets'
import { Muster } from './support/muster'
import { openAs, person } from './support/people'
import { Sim } from './support/sim'

let browser: Browser
let sim: Sim
let muster: Muster
let home: number
let rack: number

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(HOST + CLUSTER)
  muster = await (await Muster.start()).setUp()
  home = await muster.add('home', sim.address('home'))
  rack = await muster.add('rack', sim.address('rack'))
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })

/** It is there, cannot be pressed, and says why. */
async function barred(page: Page, button: Locator, why: RegExp): Promise<void> {
  expect(await button.getAttribute('aria-disabled')).toBe('true')
  await button.hover()
  await page.getByRole('tooltip').filter({ hasText: why }).waitFor()
  await button.click({ force: true })
  await page.mouse.move(0, 0)
  await page.getByRole('tooltip').waitFor({ state: 'detached' })
  expect(await page.getByRole('dialog').count()).toBe(0)
}

describe('a viewer', () => {
  let window: Window
  let page: Page

  beforeAll(async () => {
    window = await openAs(browser, muster, await person(muster, 'vera', { role: 'viewer', scope: { kind: 'all' } }))
    page = window.page
  })

  afterAll(async () => {
    expect(window.faults).toEqual([])
    await window.context.close()
  })

  test('sees everything', async () => {
    await page.goto(`${muster.url}/guests`)
    for (const name of ['dns', 'desk', 'one', 'two', 'three']) await row(page, name).waitFor()
    await page.goto(`${muster.url}/nodes`)
    for (const name of ['pve1', 'pve2', 'pve3']) await row(page, name).waitFor()
    await page.goto(`${muster.url}/remotes`)
    for (const name of ['home', 'rack']) await row(page, name).waitFor()
  })

  test('is told at each action why it is not for them', async () => {
    await page.goto(`${muster.url}/guests/${home}/101`)
    await page.getByRole('main').getByText('live', { exact: true }).first().waitFor()
    const power = page.getByRole('group', { name: 'Power' })
    for (const name of [/^Shut down/, /^Stop/, /^Reboot/]) await barred(page, power.getByRole('button', { name }), /needs the role operator/)

    // Several at once, and by the menu of a row.
    await page.goto(`${muster.url}/guests`)
    await row(page, 'dns').getByRole('checkbox').check()
    const selected = page.getByRole('toolbar', { name: 'Selected guests' })
    await barred(page, selected.getByRole('button', { name: /^Shut down/ }), /Needs the role operator/)

    await page.goto(`${muster.url}/remotes/${home}`)
    await page.getByRole('heading', { name: 'home', level: 1 }).waitFor()
    const main = page.getByRole('main')
    await barred(page, main.getByRole('button', { name: 'Disconnect…' }), /needs the role administrator on this remote/)
    await barred(page, main.getByRole('button', { name: 'Sign in anew…' }).first(), /needs the role administrator/)
    await main.getByRole('button', { name: 'More' }).click()
    expect(await page.getByRole('menuitem', { name: 'Remove…' }).getAttribute('aria-disabled')).toBe('true')
    await page.keyboard.press('Escape')

    await page.goto(`${muster.url}/remotes`)
    await row(page, 'home').waitFor()
    await barred(page, main.getByRole('button', { name: 'Add a remote' }), /needs the role administrator on all remotes|needs the role administrator/)
    await page.goto(`${muster.url}/add-remote`)
    await page.getByText('Not for your role').waitFor()
    expect((await sim.journal('home')).filter(({ method, path }) => method === 'POST' && path.includes('/status/'))).toEqual([])
  })

  test('is told in the settings who may', async () => {
    await page.goto(`${muster.url}/settings`)
    await page.getByRole('tab', { name: 'About', selected: true }).waitFor()
    for (const name of ['Users', 'API tokens', 'Sessions', 'Audit log']) {
      await page.getByRole('tab', { name }).click()
      await page.getByText('This needs the role administrator').waitFor()
    }
    await page.getByRole('link', { name: 'To my own account' }).click()
    await page.getByText('viewer everywhere').waitFor()
  })
})

describe('a person limited to one remote', () => {
  let window: Window
  let page: Page

  beforeAll(async () => {
    window = await openAs(browser, muster, await person(muster, 'lena', { role: 'operator', scope: { kind: 'remote', value: home } }))
    page = window.page
  })

  afterAll(async () => {
    expect(window.faults).toEqual([])
    await window.context.close()
  })

  test('finds that one in every list, count and search, and nothing of the others', async () => {
    const others = /rack|pve[123]|\bthree\b/
    await page.goto(`${muster.url}/`)
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
    await page.getByRole('main').getByRole('link', { name: /running/ }).first().waitFor()
    await page.getByRole('main').getByRole('link', { name: 'all 2' }).waitFor()
    expect(await page.locator('body').innerText()).not.toMatch(others)
    const pages = page.getByRole('navigation', { name: 'Pages' })
    await pages.getByRole('link', { name: 'Guests 2' }).waitFor()
    await pages.getByRole('link', { name: 'Nodes 1' }).waitFor()
    await pages.getByRole('link', { name: 'Remotes 1' }).waitFor()

    for (const [list, mine] of [['guests', 'dns'], ['nodes', 'pve'], ['storages', 'local'], ['remotes', 'home'], ['events', undefined], ['tasks', undefined]] as const) {
      await page.goto(`${muster.url}/${list}`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      if (mine) await row(page, mine).first().waitFor()
      expect(await page.locator('body').innerText()).not.toMatch(others)
    }

    await page.keyboard.press('Control+k')
    const palette = page.getByRole('combobox', { name: /Find anything/ })
    await palette.fill('dns')
    await page.getByRole('option', { name: /dns/ }).first().waitFor()
    await palette.fill('rack')
    await page.getByText('Nothing you may see has all these words.').waitFor()
    await palette.fill('three')
    await page.getByText('Nothing you may see has all these words.').waitFor()
    await page.keyboard.press('Escape')
  })

  test('an address of another remote says that it is not there, as one does that never was', async () => {
    const said = async (path: string) => {
      await page.goto(`${muster.url}${path}`)
      await page.getByRole('main').getByText(/^(No such|There is no such)/).first().waitFor()
      return (await page.getByRole('main').innerText()).replaceAll(/\d+|pve\d|never/g, '…')
    }
    expect(await said(`/remotes/${rack}`)).toBe(await said('/remotes/999'))
    expect(await said(`/guests/${rack}/101`)).toBe(await said('/guests/999/101'))
    expect(await said(`/nodes/${rack}/pve1`)).toBe(await said('/nodes/999/pve1'))
  })

  test('operates their own', async () => {
    await page.goto(`${muster.url}/guests/${home}/102`)
    await page.getByRole('main').getByText('stopped', { exact: true }).first().waitFor()
    await page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Start/ }).click()
    await page.getByRole('main').getByText('running', { exact: true }).first().waitFor()
    await page.goto(`${muster.url}/operations`)
    await row(page, 'desk').getByText('succeeded').waitFor()
  })

  test('is told at once when it is taken away', async () => {
    await page.goto(`${muster.url}/guests`)
    await row(page, 'dns').waitFor()
    await muster.call('PUT', '/users/lena/grants', { grants: [] })
    await row(page, 'dns').waitFor({ state: 'detached' })
    await page.goto(`${muster.url}/`)
    await page.getByText('Nothing may be seen').waitFor()
  })
})
