import { expect, test } from 'vitest'
import {
  choices, commands, firstChoice, firstRealm, nameFault, type Onboarding, reachable, readToken, type SignedIn, title, typed, userAt,
} from './onboarding'

const realms = [{ name: 'pam' }, { name: 'ldap.example', default: true }]

test('a user gets the chosen realm, unless a realm of the host is named already', () => {
  expect(userAt('root', 'pam', realms)).toBe('root@pam')
  expect(userAt(' root@pam ', 'ldap.example', realms)).toBe('root@pam')
  // A name may hold an @ of its own.
  expect(userAt('anna@corp.example', 'ldap.example', realms)).toBe('anna@corp.example@ldap.example')
  expect(userAt('root@pam', '', [])).toBe('root@pam')
})

test('the realm to begin with is the default one, else pam', () => {
  expect(firstRealm(realms)).toBe('ldap.example')
  expect(firstRealm([{ name: 'pve' }, { name: 'pam' }])).toBe('pam')
  expect(firstRealm([])).toBe('')
})

test('a token is understood however it was copied', () => {
  const whole = { id: 'root@pam!muster', secret: '0b75e0e2-51f5' }
  expect(readToken('root@pam!muster=0b75e0e2-51f5')).toEqual(whole)
  expect(readToken('PVEAPIToken=root@pam!muster=0b75e0e2-51f5\n')).toEqual(whole)
  expect(readToken('Authorization: PVEAPIToken=root@pam!muster=0b75e0e2-51f5')).toEqual(whole)
  expect(readToken('root@pam!muster')).toBeUndefined()
  expect(readToken('0b75e0e2-51f5')).toBeUndefined()
})

test('names that the server refuses are told before', () => {
  expect(nameFault('home')).toBeUndefined()
  for (const name of ['', '  ', 'a/b', '7', '0042']) expect(nameFault(name)).toBeDefined()
  expect(nameFault('home', ['attic', 'home'])).toMatch(/already/)
})

test('one may go back to every step that was taken, and no further than the server', () => {
  const at = (step: Onboarding['step']) => ({ step }) as Onboarding
  expect(reachable('certificate', undefined)).toBe(false)
  expect(reachable('sign_in', at('trust'))).toBe(false)
  expect(reachable('certificate', at('finish'))).toBe(true)
  expect(reachable('sign_in', at('second_factor'))).toBe(true)
  expect(reachable('finish', at('second_factor'))).toBe(false)
  expect(reachable('second_factor', at('finish'))).toBe(false)
  expect(reachable('address', undefined)).toBe(true)
})

const signedIn: SignedIn = {
  user: 'anna@pve',
  with_token: false,
  offers: [
    { rights: 'look', sentence: 'sees everything, changes nothing', privileges: ['Sys.Audit'], lacking: [] },
    { rights: 'operate', sentence: 'anna@pve does not hold VM.PowerMgmt', privileges: ['VM.PowerMgmt'], lacking: ['VM.PowerMgmt'] },
    { rights: 'same_as_user', sentence: 'may do everything that its user may do' },
  ],
}

test('what the account cannot give cannot be chosen, and is not proposed', () => {
  const offered = choices(signedIn, false)
  expect(offered.map((one) => [one.value, one.forbidden])).toEqual([
    ['look', false],
    ['operate', true],
    ['same_as_user', false],
    ['password', false],
  ])
  expect(firstChoice(offered)).toBe('look')
})

test('rights that are refused for another reason than a privilege cannot be chosen either', () => {
  const offers = [{ rights: 'look' as const, sentence: 'anna@pve may not give a role to a token', refused: true }]
  const offered = choices({ ...signedIn, offers }, false)
  expect(offered[0]?.forbidden).toBe(true)
  // A key to everything is chosen by a person, or not at all.
  expect(firstChoice(offered)).toBeUndefined()
})

test('a token that was given is kept as it is; a second factor is told of beside the password', () => {
  expect(choices({ ...signedIn, with_token: true }, false)).toEqual([])
  const password = (factored: boolean) => choices(signedIn, factored).find((one) => one.value === 'password')?.sentence
  expect(password(true)).toMatch(/second factor/)
  expect(password(false)).not.toMatch(/second factor/)
})

test('commands to be run on the host are told apart from the words', () => {
  const left = commands('Try again. On the host, as root: pveum user token remove x y; pveum role delete z')
  expect(left).toEqual({ words: 'Try again.', commands: ['pveum user token remove x y', 'pveum role delete z'] })
  expect(commands('Check the port.')).toEqual({ words: 'Check the port.', commands: [] })
  expect(commands(undefined)).toEqual({ words: '', commands: [] })
})

test('a failure is called by its cause', () => {
  const problem = (code: string) => ({ type: `urn:muster:${code}`, title: 'That did not work.', status: 502 })
  expect(title(problem('refused'))).toBe('Nothing listens there')
  expect(title(problem('something_new'))).toBe('That did not work.')
})

test('of the factors those are offered that can be typed', () => {
  expect(typed(['webauthn', 'recovery', 'totp'])).toEqual(['recovery', 'totp'])
  expect(typed([])).toEqual(['totp'])
})
