/** The browser: Debian's Chromium, one for all scenarios of a file, a fresh profile for each. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { onTestFailed } from 'vitest'
import { ADMIN, type Muster } from './muster'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where Chromium is: `MUSTER_CHROMIUM`, or where distributions put it. */
export function chromiumPath(): string | undefined {
  return process.env.MUSTER_CHROMIUM ?? PLACES.find((place) => existsSync(place))
}

export const WIDE = { width: 1280, height: 800 }
export const PHONE = { width: 390, height: 844 }

export async function launch(): Promise<Browser> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Error('Chromium is missing. Debian, Ubuntu: apt install chromium')
  return chromium.launch({
    executablePath,
    args: [
      // Containers give the sandbox no place; the pages are our own.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A window in which whatever goes wrong unseen is kept. */
export interface Window {
  context: BrowserContext
  page: Page
  /** Errors of scripts, and what the browser complained of: a policy that was broken, for one. */
  faults: string[]
}

export interface Look {
  viewport?: { width: number; height: number }
  colorScheme?: 'light' | 'dark'
  /** Signed in as its administrator from the start. */
  in?: Muster
}

export async function open(browser: Browser, { in: muster, ...options }: Look = {}): Promise<Window> {
  const context = await browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options })
  if (muster) await context.addCookies(muster.session)
  const page = await context.newPage()
  const faults: string[] = []
  watch(page, faults)
  picture(page)
  return { context, page, faults }
}

/** When the test fails, what the page showed lies in target/e2e. */
function picture(page: Page): void {
  try {
    onTestFailed(async ({ task }) => {
      await page.screenshot({ path: `${fileURLToPath(new URL('../../../target/e2e', import.meta.url))}/${task.name.replaceAll(/\W+/g, '-').slice(0, 80)}.png` })
    })
  } catch {
    // Opened for a whole file, not for one test.
  }
}

/** Keeps what goes wrong in a page. */
export function watch(page: Page, faults: string[]): void {
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('console', (message) => {
    // A browser writes down every refusal of a server: those are tested by what the screen says.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(message.text())) {
      faults.push(`console: ${message.text()}`)
    }
  })
}

/** Signs in and waits for the page that was asked for. */
export async function signIn(page: Page, muster: Muster, path = '/', as: { user: string; password: string } = ADMIN): Promise<void> {
  await page.goto(`${muster.url}${path}`)
  await page.getByLabel('Name').fill(as.user)
  await page.getByRole('textbox', { name: 'Password' }).fill(as.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Pages' }).or(page.getByRole('button', { name: 'Navigation' })).first().waitFor()
}
