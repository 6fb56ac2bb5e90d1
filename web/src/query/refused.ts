/** [heard]: what a list shows while the query asked of it is not understood. */
import { Refusal } from '~/api/client'
import type { Order } from '~/table/types'

/** Whether a failure is about how the query is written. */
export function isAboutQuery(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === 'query'
}

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
