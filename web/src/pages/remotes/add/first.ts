/** How far a remote that was just added has come. */
import type { Remote } from '~/api/types'
import { many } from '~/format/format'

export const FACTS_READ = 'Kinds of facts read'

export function firstLook(remote: Remote): { busy: boolean; sentence: string } {
  const { link, counts, coverage } = remote
  if (link.needs_person) return { busy: false, sentence: 'It waits for a person.' }
  if (!link.up) return { busy: true, sentence: 'Being connected…' }
  if (counts.guests == null || counts.nodes == null) return { busy: true, sentence: 'Connected. What is on it is being listed…' }
  const left = coverage.filter((row) => row.last_success == null && row.last_error == null).length
  if (left > 0) return { busy: true, sentence: `Listed. ${many(left, 'kind')} of facts still to be read…` }
  const failing = coverage.filter((row) => row.last_error != null).length
  return failing === 0
    ? { busy: false, sentence: 'All of it was read.' }
    : { busy: false, sentence: `Read, but for ${many(failing, 'kind')} of facts: the remote’s page says why.` }
}
