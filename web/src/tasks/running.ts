/** How many tasks run, as far as that is known. Pure. */
import { count, many } from '~/format/format'

export interface Known {
  /** In a figure; `undefined`: none runs. */
  figure: string | undefined
  /** What is not known of it; `undefined`: nothing is. */
  wanting: string | undefined
}

/** `known`: on the remotes of which it is known; `unknown`: of so many remotes it is not, out of so many. */
export function running(known: number, unknown: number | undefined, remotes: number): Known {
  if (!unknown) return { figure: known > 0 ? count(known) : undefined, wanting: undefined }
  return {
    figure: known > 0 ? `≥ ${count(known)}` : '?',
    wanting: unknown >= remotes ? (remotes === 1 ? 'of the remote it is not known' : 'of no remote it is known') : `of ${count(unknown)} of ${many(remotes, 'remote')} it is not known`,
  }
}
