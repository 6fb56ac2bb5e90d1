/** Watching operations outside of any component: by the live stream, and by asking where it tells nothing. */
import { live } from '~/live/live'

const ASK_MS = 3000

export interface Watcher {
  /** The stream has told something. */
  look: () => void
  /** It is time to ask for what the stream does not tell. */
  ask: () => void
}

const all = new Set<() => void>()

/** Watches until what comes back is called. */
export function watch({ look, ask }: Watcher): () => void {
  const leave = live.topic('operations')
  const unsubscribe = live.subscribe(look)
  const timer = setInterval(ask, ASK_MS)
  const end = () => {
    if (!all.delete(end)) return
    unsubscribe()
    clearInterval(timer)
    leave()
  }
  all.add(end)
  queueMicrotask(() => all.has(end) && look())
  return end
}

/** Whoever watched has gone: nothing is asked for any more. */
export function endWatching(): void {
  for (const end of [...all]) end()
}

/** What the stream tells of operations, while it proves itself live. */
export function told() {
  return live.status.state === 'live' ? live.state.operations : undefined
}
