/** What the rows of a list are that match a query, without the rows. */
import { api, unwrap } from '~/api/client'
import type { Counts } from '~/api/types'
import type { ListName } from './vocabulary'

export async function askCounts(list: ListName, q: string, signal: AbortSignal): Promise<Counts> {
  const params = { query: { limit: 1, ...(q === '' ? {} : { q }) } }
  const page = await unwrap<{ counts?: Counts }>(api.GET(`/api/v1/${list}`, { params, signal }))
  return page.counts ?? {}
}
