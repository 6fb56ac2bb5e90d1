/** What lies on a storage, in words. Pure. */
import { problemFrom } from '~/api/client'
import type { Schemas } from '~/api/types'
import { count, many, sentence } from '~/format/format'

const KINDS: Record<string, string> = {
  images: 'Disks of virtual machines',
  rootdir: 'Disks of containers',
  iso: 'ISO images',
  vztmpl: 'OS templates',
  backup: 'Backups',
  snippets: 'Snippets',
  import: 'Images to import',
}

/** A kind of content by its name of Proxmox VE. */
export function kindOf(content: string | null | undefined): string {
  return content == null ? 'Of unknown kind' : (KINDS[content] ?? content)
}

type Summary = Pick<Schemas['Observed_ContentSummary']['value'], 'unlisted_guests' | 'of_unknown_guests'>

/** What the list leaves open. */
export function left({ unlisted_guests: unlisted, of_unknown_guests: unknown }: Summary): string[] {
  return [
    unlisted > 0 &&
      `${many(unlisted, 'guest')} ${unlisted === 1 ? 'is' : 'are'} configured to have disks here that were not listed: the account that Muster uses may not see them (it takes Datastore.Allocate, or VM.Config.Disk on the guest).`,
    unknown > 0 && `${many(unknown, 'volume')} belong${unknown === 1 ? 's' : ''} to numbers that no known guest has.`,
  ].filter((line) => line !== false)
}

type Listed = Pick<Schemas['StorageDetail'], 'guests_unknown' | 'guests_error' | 'contents'>

/** Why it is not known of all guests whether they have something here; `undefined`: it is. `failed`: its nodes could not be asked. */
export function unlisted({ guests_unknown: guests, guests_error: error, contents }: Listed, failed: unknown): string | undefined {
  const places = (contents ?? []).filter((one) => !one.seen)
  const why = [
    failed !== null && failed !== undefined && `What lies there could not be listed: ${problemFrom(failed).detail ?? problemFrom(failed).title}`,
    ...places.map((one) => one.error && `What lies on ${one.node} was never listed: ${one.error.sentence}`),
    !!guests && `Not known of ${many(guests, 'more guest')}: ${error?.sentence ?? 'nothing of theirs was listed, and their configuration was not read yet'}`,
  ].filter((line) => typeof line === 'string')
  return why.length === 0 ? undefined : why.map(sentence).join(' ')
}

/** How many guests have something here, to be put behind the word: ` (3)`; ` (≥ 3)` where there may be more; nothing where nobody knows. */
export function guestsText(storage: Listed & Pick<Schemas['StorageDetail'], 'guests_total'>, failed: unknown): string {
  const { guests_total: total } = storage
  if (total === undefined) return ''
  if (unlisted(storage, failed) === undefined) return ` (${count(total)})`
  return total > 0 ? ` (≥ ${count(total)})` : ''
}
