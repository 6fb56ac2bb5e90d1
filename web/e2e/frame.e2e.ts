/** What holds for the console as a whole: it comes under its policy, signs in and out, and resumes by itself. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, open, signIn } from './support/browser'
import { inaccessible, misplaced } from './support/look'
import { Muster } from './support/muster'

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

describe('the frame', () => {
  test('a person who is not signed in comes to where they wanted to go, after signing in', async () => {
    const { context, page, faults } = await open(browser)
    await signIn(page, muster, '/tasks?q=status%3Afailed')
    await page.getByRole('heading', { name: 'Tasks', level: 1 }).waitFor()
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/tasks?q=status%3Afailed')
    expect(faults).toEqual([])
    await context.close()
  })

  test('the live stream opens, breaks with the server, says so, and comes back without a reload', async () => {
    const { context, page, faults } = await open(browser)
    await signIn(page, muster)
    await page.getByText('live', { exact: true }).waitFor()
    await page.evaluate(() => void ((window as unknown as { kept: boolean }).kept = true))
    await muster.kill()
    await page.getByText(/Live updates stopped/).waitFor()
    await muster.begin()
    await page.getByText('live', { exact: true }).waitFor()
    await page.getByText(/Live updates stopped/).waitFor({ state: 'detached' })
    expect(await page.evaluate(() => (window as unknown as { kept?: boolean }).kept)).toBe(true)
    expect(faults).toEqual([])
    await context.close()
  })

  test('nothing runs over, nothing lies on anything else, and nobody is kept out', async () => {
    const { context, page } = await open(browser)
    await signIn(page, muster)
    expect(await misplaced(page)).toEqual([])
    expect(await inaccessible(page)).toEqual([])
    await context.close()
  })
})
