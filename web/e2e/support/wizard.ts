/** The steps of adding a remote, as a person takes them. */
import type { Locator, Page } from 'playwright-core'
import type { Muster } from './muster'

export type SignIn = { user: string; password: string; realm?: string } | { token: string }

export class Wizard {
  readonly page: Page
  readonly main: Locator

  constructor(page: Page) {
    this.page = page
    this.main = page.getByRole('main')
  }

  static async open(page: Page, muster: Muster): Promise<Wizard> {
    await page.goto(`${muster.url}/add-remote`)
    return new Wizard(page)
  }

  /** The first step: up to the certificate, or to why there is none. */
  async address(address: string): Promise<void> {
    await this.main.getByRole('textbox', { name: 'Address' }).fill(address)
    await this.press('Continue')
  }

  /** Says that the certificate shown is the right one. */
  trust(): Promise<void> {
    return this.press('It is the right one: trust it')
  }

  async signIn(as: SignIn): Promise<void> {
    if ('token' in as) {
      await this.main.getByText('API token', { exact: true }).click()
      // As people paste it: both parts at once.
      await this.main.getByRole('textbox', { name: 'Token ID' }).fill(as.token)
    } else {
      await this.main.getByRole('textbox', { name: 'User', exact: true }).fill(as.user)
      if (as.realm) {
        await this.main.getByRole('combobox', { name: 'Realm' }).click()
        await this.page.getByRole('option', { name: new RegExp(`^${as.realm}\\b`) }).click()
      }
      await this.main.getByRole('textbox', { name: 'Password' }).fill(as.password)
    }
    await this.press('Sign in')
  }

  async code(digits: string): Promise<void> {
    await this.main.getByRole('textbox', { name: 'Authenticator' }).fill(digits)
    await this.press('Send the code')
  }

  async finish(name: string, kept?: RegExp): Promise<void> {
    if (kept) await this.main.getByRole('radio', { name: kept }).check()
    await this.main.getByRole('textbox', { name: 'Name' }).fill(name)
    await this.press('Add the remote')
    await this.main.getByText(`${name} is added`).waitFor()
  }

  /** Gives it up, from whatever step: back to the first, and out. */
  async leave(): Promise<void> {
    const first = this.page.getByRole('navigation', { name: 'Steps' }).getByRole('button', { name: 'Address' })
    if (await first.isVisible()) await first.click()
    await this.press('Cancel')
    await this.page.getByRole('heading', { name: 'Remotes', level: 1 }).waitFor()
  }

  back(): Promise<void> {
    return this.press('Back')
  }

  press(name: string): Promise<void> {
    return this.main.getByRole('button', { name, exact: true }).click()
  }

  /** Which step is on screen. */
  step(name: string): Promise<void> {
    return this.page.getByRole('navigation', { name: 'Steps' }).locator('[aria-current=step]').getByText(name, { exact: true }).waitFor()
  }

  /** Why the step did not come about, in the step itself. */
  trouble(text: string | RegExp): Locator {
    return this.main.getByRole('alert').filter({ hasText: text })
  }
}
