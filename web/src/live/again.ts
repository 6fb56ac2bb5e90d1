/** [askAgain]: what was asked for while the stream was cut may have failed, and may be old: once it is mended, it is asked for anew. */
import type { QueryClient } from '@tanstack/react-query'
import type { Live } from './live'

export function askAgain(live: Pick<Live, 'subscribe' | 'status'>, queries: Pick<QueryClient, 'invalidateQueries'>): () => void {
  let cut = false
  return live.subscribe(() => {
    const { state } = live.status
    const mended = cut && state === 'live'
    cut = state === 'cut'
    if (mended) void queries.invalidateQueries({ type: 'active' })
  })
}
