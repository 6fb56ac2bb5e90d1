import { describe, expect, it } from 'vitest'
import { backFrom, wayBack } from './ending'

describe('the way back after a sign-in', () => {
  it.each([
    ['/guests?q=tag%3Aprod&sort=-cpu', '/guests?q=tag%3Aprod&sort=-cpu'],
    ['/guests/7/101?tab=events', '/guests/7/101?tab=events'],
    ['/tasks/7/UPID%3Apve1', '/tasks/7/UPID%3Apve1'],
    [undefined, '/'],
    ['', '/'],
    ['//evil.example/', '/'],
    ['/\\evil.example/', '/'],
    ['/\t/evil.example/', '/'],
    ['https://evil.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['guests', '/'],
    ['/sign-in?to=%2Fguests', '/'],
    ['/setup', '/'],
    ['/settings?tab=users', '/settings?tab=users'],
  ])('of %j is %j', (to, wanted) => {
    expect(wayBack(to)).toBe(wanted)
  })

  it('is not spelt out for the overview', () => {
    expect(backFrom('/')).toEqual({})
    expect(backFrom('/nodes')).toEqual({ to: '/nodes' })
  })
})
