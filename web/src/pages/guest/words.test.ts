import { expect, test } from 'vitest'
import type { Parts } from './parts'
import { haWords } from './words'

const status = (ha: unknown) => ({ seen: { at: '', through: '', value: { ha } }, error: null }) as unknown as Parts['status']

test.each<[what: string, row: string | null, status: Parts['status'], words: RegExp]>([
  ['it is not managed', null, status({ managed: false }), /^Not managed/],
  ['it is, and the list says how it stands', 'started', status({ managed: true }), /“started”/],
  ['it is, and nothing says how it stands', null, status({ managed: true }), /nothing of its state/],
  ['what the host says could not be read', null, status({}), /not known/],
  ['nothing of it was read', null, status(undefined), /not known/],
  ['the status was never seen', null, { seen: null, error: null }, /not known/],
])('%s', (_, row, from, words) => {
  expect(haWords(row, from)).toMatch(words)
})
