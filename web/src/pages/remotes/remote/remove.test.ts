import { expect, it } from 'vitest'
import type { Remote } from '~/api/types'
import { leftGiven } from './Remove'

const of = (credential: Remote['credential']) => leftGiven({ credential })

it('says of a removed remote that a token which Muster was given is still good there', () => {
  expect(of({ kind: 'token', user: 'ci@pve!muster' })).toMatch(/The token ci@pve!muster, .* stays there/)
  expect(of({ kind: 'password', user: 'root@pam' })).toBeUndefined()
  expect(of({ kind: 'token', user: 'a', minted: { id: 'a' } })).toBeUndefined()
})
