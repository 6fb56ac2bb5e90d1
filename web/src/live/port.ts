/** How a tab reaches its hub: the one of the browser, in a SharedWorker ([shared]), or one of its own ([alone]). */
import { root } from '~/api/client'
import { Hub } from './hub'
import type { FromHub, ToHub } from './protocol'
import { server, world } from './server'

/** A worker answers at once; one that says nothing for so long was never started. */
const DEAF_MS = 10_000

export interface Port {
  /** Nobody else uses this hub. */
  alone: boolean
  send(message: ToHub): void
  close(): void
}

/**
 * The hub that all tabs share. `undefined`: this browser has none. `broken`: it turned out not to work; its script is
 * gone after an upgrade, for one.
 */
export function shared(hear: (message: FromHub) => void, broken: () => void): Port | undefined {
  if (typeof SharedWorker === 'undefined') return undefined
  try {
    const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: root })
    let heard = false
    const fail = () => {
      clearTimeout(timer)
      if (!heard) broken()
    }
    const timer = setTimeout(fail, DEAF_MS)
    worker.onerror = fail
    worker.port.onmessage = (message: MessageEvent<FromHub>) => {
      heard = true
      hear(message.data)
    }
    worker.port.start()
    return {
      alone: false,
      send: (message) => worker.port.postMessage(message),
      close: () => {
        clearTimeout(timer)
        worker.onerror = null
        worker.port.onmessage = null
        worker.port.close()
      },
    }
  } catch {
    // Where pages may keep nothing, they may share nothing.
    return undefined
  }
}

/** A hub in this page. */
export function alone(hear: (message: FromHub) => void): Port {
  const hub = new Hub(server(root), world)
  let open = true
  const send = hub.join((message) => {
    if (open) hear(message)
  })
  return {
    alone: true,
    send,
    close: () => {
      open = false
    },
  }
}
