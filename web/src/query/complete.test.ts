import { describe, expect, it } from 'vitest'
import { complete, take } from './complete'
import { VOCABULARY } from './vocabulary'

const at = (written: string, known?: (key: string) => string[]) => {
  const cursor = written.indexOf('|')
  const q = written.replace('|', '')
  return complete(VOCABULARY.guests, q, cursor, known).map((one) => take(q, one).q)
}

describe('suggestions', () => {
  it('are keys where a term begins', () => {
    expect(at('|')).toContain('status:')
    expect(at('web st|')[0]).toBe('web status:')
    expect(at('-ta|')[0]).toBe('-tag:')
    expect(at('up|')[0]).toBe('uptime>')
  })

  it('are the values of a key, without those that stand there', () => {
    expect(at('status:ru|')[0]).toBe('status:running')
    expect(at('status:running,st|')[0]).toBe('status:running,stopped')
    expect(at('status:running,|')).not.toContain('status:running,running')
    expect(at('type:|')).toEqual(['type:ct', 'type:vm'])
  })

  it('replace the whole value, with what stands behind left alone', () => {
    expect(at('type:c|x status:running')[0]).toBe('type:ct status:running')
  })

  it('know names that are at hand, quoted where they have to be', () => {
    const known = (key: string) => (key === 'remote' ? ['home', 'my site'] : [])
    expect(at('remote:|', known)).toEqual(['remote:home', 'remote:"my site"'])
    expect(at('remote:my|', known)).toEqual(['remote:"my site"'])
    expect(at('remote:"my|', known)).toEqual(['remote:"my site"'])
  })

  it('find the key of a value', () => {
    expect(at('runn|')).toContain('status:running')
  })

  it('are none where anything may stand', () => {
    expect(at('cpu>8|')).toEqual([])
    expect(at('nothing:a|')).toEqual([])
  })
})
