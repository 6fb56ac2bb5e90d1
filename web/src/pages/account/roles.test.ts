import { describe, expect, it } from 'vitest'
import { faultOf, type Grant, inWords, same } from './roles'

const all = (role: Grant['role']): Grant => ({ role, scope: { kind: 'all' } })
const on = (role: Grant['role'], value: number): Grant => ({ role, scope: { kind: 'remote', value } })
const nameOf = (remote: number) => (remote === 7 ? 'home' : `remote ${remote}`)

describe('roles', () => {
  it.each([
    [[], 'nothing: without a role nothing is seen'],
    [[all('administrator')], 'administrator everywhere'],
    [[all('viewer'), on('operator', 7)], 'viewer everywhere and operator on home'],
    [[on('viewer', 7), on('viewer', 8), on('operator', 9)], 'viewer on home, viewer on remote 8 and operator on remote 9'],
  ])('%j are said', (grants, wanted) => {
    expect(inWords(grants, nameOf)).toBe(wanted)
  })

  it('hold once in one place', () => {
    expect(faultOf([all('viewer'), on('viewer', 7)])).toBeUndefined()
    expect(faultOf([on('operator', 7), on('viewer', 7)])).toMatch(/two roles/)
    expect(faultOf([all('operator'), all('viewer')])).toMatch(/two roles/)
  })

  it('are the same in any order', () => {
    expect(same([all('viewer'), on('operator', 7)], [on('operator', 7), all('viewer')])).toBe(true)
    expect(same([on('operator', 7)], [on('operator', 8)])).toBe(false)
    expect(same([all('viewer')], [])).toBe(false)
  })
})
