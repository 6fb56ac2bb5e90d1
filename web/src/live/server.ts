/** The server as the hub needs it, over EventSource and fetch. Runs in a worker too: no page is at hand here. */
import type { Session, StreamMessage, Subscriptions } from '~/api/types'
import { type Server, whoOf, type World } from './protocol'

/** Names of all messages, none forgotten: a browser delivers only those somebody listens for. */
const NAMES: Record<StreamMessage['type'], true> = {
  hello: true,
  reset: true,
  links: true,
  operations: true,
  tasks: true,
  events: true,
  counts: true,
  overview: true,
  list: true,
  heartbeat: true,
  bye: true,
}

/** No answer to a small question within this time is none. */
const PATIENCE_MS = 10_000

const NO_ANSWER = 'Muster does not answer'

/** The server whose API lies under `root`. */
export function server(root: string): Server {
  let csrf = ''
  const session: Server['session'] = async () => {
    try {
      const answer = await fetch(`${root}/api/v1/session`, {
        credentials: 'same-origin',
        signal: AbortSignal.timeout(PATIENCE_MS),
      })
      if (answer.status === 401) return 'ended'
      if (!answer.ok) return { silent: `Muster answers ${answer.status}` }
      const session = (await answer.json()) as Session
      csrf = session.csrf ?? ''
      return { who: whoOf(session) }
    } catch {
      return { silent: NO_ANSWER }
    }
  }
  return {
    session,
    open(last, got, lost) {
      const after = last === undefined ? '' : `?last_event_id=${encodeURIComponent(last)}`
      const source = new EventSource(`${root}/api/v1/stream${after}`)
      for (const name of Object.keys(NAMES)) {
        source.addEventListener(name, (event: MessageEvent<string>) => {
          got(JSON.parse(event.data) as StreamMessage, event.lastEventId)
        })
      }
      source.onerror = () => {
        source.close()
        lost()
      }
      return source
    },
    async subscribe(stream, wanted) {
      if (csrf === '') await session()
      try {
        const answer = await fetch(`${root}/api/v1/stream/${stream}/subscriptions`, {
          method: 'PUT',
          credentials: 'same-origin',
          headers: { 'content-type': 'application/json', 'x-muster-csrf': csrf },
          body: JSON.stringify(wanted),
          signal: AbortSignal.timeout(PATIENCE_MS),
        })
        if (answer.ok) return { is: 'done', after: ((await answer.json()) as Subscriptions).events_after ?? undefined }
        if (answer.status === 404) return { is: 'unknown' }
        if (answer.status === 422) return { is: 'refused' }
        // Another session has another proof.
        if (answer.status === 403 || answer.status === 401) await session()
        return { is: 'failed', why: `Muster does not take what this browser wants to be told: it answers ${answer.status}` }
      } catch {
        return { is: 'failed', why: NO_ANSWER }
      }
    },
  }
}

/** The browser's own time and chance. */
export const world: World = {
  now: () => Date.now(),
  random: () => Math.random(),
  later(ms, act) {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}
