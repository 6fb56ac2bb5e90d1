/** [heard]: what a list shows while the query asked of it is not understood. */
import type { Order } from '~/table/types'
import { isAboutQuery } from './QueryBox'

interface Asked {
  order: Order | undefined
  error: unknown
  pending: boolean
}

const NOTHING: Order = { key: 'not understood', total: 0, id: () => undefined, has: () => false }

/** What is wrong with a query is said at the query. The list keeps what it has; what it never had does not come. */
export function heard<S extends Asked>(source: S): S {
  if (!isAboutQuery(source.error)) return source
  return { ...source, error: null, ...(source.order ? {} : { order: NOTHING, pending: false }) }
}
