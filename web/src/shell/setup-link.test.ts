import { describe, expect, it } from 'vitest'
import { secretIn } from './setup-link'

describe('a set-up link', () => {
  it.each([
    ['/setup', '#s3cret_-x', '', 's3cret_-x'],
    ['/setup/', '#s3cret', '', 's3cret'],
    ['/muster/setup', '#s3cret', '/muster', 's3cret'],
    ['/setup', '', '', undefined],
    ['/setup', '#', '', undefined],
    ['/guests', '#main', '', undefined],
    ['/setup', '#s3cret', '/muster', undefined],
  ])('%s%s under %j has %j', (path, hash, under, wanted) => {
    expect(secretIn(path, hash, under)).toBe(wanted)
  })
})
