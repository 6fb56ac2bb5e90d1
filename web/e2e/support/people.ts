/** People beside the administrator: their accounts, and windows in which they are signed in. */
import type { Browser } from 'playwright-core'
import { type Look, open, type Window } from './browser'
import type { Muster } from './muster'

export type Scope = { kind: 'all' } | { kind: 'remote'; value: number }

export interface Person {
  name: string
  password: string
}

/** Makes an account. */
export async function person(muster: Muster, name: string, ...grants: { role: string; scope: Scope }[]): Promise<Person> {
  const password = `the password of ${name}`
  await muster.call('POST', '/users', { name, password, grants })
  return { name, password }
}

/** A window in which somebody is signed in. */
export async function openAs(browser: Browser, muster: Muster, who: Person, look: Omit<Look, 'in'> = {}): Promise<Window> {
  const answer = await fetch(`${muster.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: who.name, password: who.password }),
  })
  if (!answer.ok) throw new Error(`sign-in of ${who.name}: ${answer.status} ${await answer.text()}`)
  const window = await open(browser, look)
  await window.context.addCookies(
    answer.headers.getSetCookie().map((cookie) => {
      const [name = '', ...value] = (cookie.split(';')[0] ?? '').split('=')
      return { name, value: value.join('='), url: muster.url }
    }),
  )
  return window
}
