/** Names from outside: shown as the text they are, whatever stands in them. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, open, PHONE, WIDE, type Window } from './support/browser'
import { misplaced } from './support/look'
import { Muster } from './support/muster'
import { Sim } from './support/sim'

const MARKUP = '<img src=x onerror=alert(1)>'
const NAMES: Record<number, string> = {
  101: MARKUP,
  102: '🦊🏴‍☠️ emoji 👩‍👩‍👧‍👦 名前',
  103: 'مرحبا \u202Eבעברית rtl',
  104: 'long'.repeat(50),
  105: 'blank '.repeat(33).trim(),
}

const FLEET = `
[[remotes]]
name = "odd"
version = "9.2"
nodes = [{ name = "pve" }]
users = [{ userid = "root@pam", password = "secret" }]
guests = [
${Object.entries(NAMES)
  .map(
    ([vmid, name]) =>
      `  { vmid = ${vmid}, kind = "ct", name = ${JSON.stringify(name)}, node = "pve", running = true, tags = ["${'t'.repeat(60)}", "<b>x</b>", "🦊"], config = { description = ${JSON.stringify(`${name}\n<script>alert(2)</script>\n`)} } },`,
  )
  .join('\n')}
]
`

let browser: Browser
let sim: Sim
let muster: Muster
let odd: number

beforeAll(async () => {
  browser = await launch()
  sim = await Sim.start(FLEET)
  muster = await (await Muster.start()).setUp()
  odd = await muster.add('odd', sim.address('odd'))
})

afterAll(async () => {
  await browser?.close()
  await muster?.stop()
  await sim?.stop()
})

describe.each([
  { how: '1280 px', viewport: WIDE },
  { how: '390 px', viewport: PHONE },
])('at $how', ({ viewport }) => {
  let window: Window
  let page: Page
  let dialogs = 0

  beforeAll(async () => {
    window = await open(browser, { in: muster, viewport })
    page = window.page
    page.on('dialog', (dialog) => {
      dialogs++
      void dialog.dismiss()
    })
  })

  afterAll(async () => {
    await window.context.close()
  })

  /** Nothing of it was taken for markup, and nothing runs over. */
  async function sound(): Promise<void> {
    expect(await misplaced(page)).toEqual([])
    expect(await page.locator('img[src=x], main script, main b:text-is("x")').count()).toBe(0)
    expect(dialogs).toBe(0)
    expect(window.faults).toEqual([])
  }

  test('the list', async () => {
    await page.goto(`${muster.url}/guests`)
    for (const name of Object.values(NAMES)) await page.getByRole('row').filter({ hasText: name }).first().waitFor()
    await sound()
  })

  test.each(Object.entries(NAMES))('the page of %s', async (vmid, name) => {
    await page.goto(`${muster.url}/guests/${odd}/${vmid}`)
    await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor()
    await page.getByRole('main').getByText('<b>x</b>', { exact: true }).first().waitFor()
    await page.getByRole('main').getByText(/<script>alert\(2\)<\/script>/).first().waitFor()
    await sound()
    // What is asked before it is stopped names it as well.
    await page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Stop/ }).click()
    await page.getByRole('dialog').getByText(name).first().waitFor()
    await sound()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('what is found by the palette, and what an operation says', async () => {
    await page.goto(`${muster.url}/guests/${odd}/101`)
    await page.getByRole('heading', { name: MARKUP, level: 1 }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: /Find anything/ }).fill('img')
    await page.getByRole('option').filter({ hasText: MARKUP }).first().waitFor()
    await page.getByRole('combobox', { name: /Find anything/ }).fill('longlong')
    await page.getByRole('option').filter({ hasText: 'longlong' }).first().waitFor()
    await sound()
    await page.keyboard.press('Escape')
    await page.getByRole('group', { name: 'Power' }).getByRole('button', { name: /^Reboot/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: /^Reboot/ }).click()
    await page.getByRole('alert').filter({ hasText: MARKUP }).first().waitFor()
    await sound()
    for (const list of ['operations', 'tasks', 'events']) {
      await page.goto(`${muster.url}/${list}`)
      await page.getByRole('main').getByText(MARKUP).first().waitFor()
      await sound()
    }
  })
})
