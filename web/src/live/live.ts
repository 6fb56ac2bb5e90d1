/**
 * The live stream as this tab sees it: [live]. Screens say what they need with the hooks of `hooks.ts`; what all of them
 * need together is wished for, and only while the tab is looked at.
 */
import { root } from '~/api/client'
import type { ListSubscription, Topic } from '~/api/types'
import { type FromHub, Hub, type Status, type ToHub } from './hub'
import { server, world } from './server'
import { apply, type LiveState, NOTHING, without } from './state'

/** A hidden tab keeps its lists for this long: going back and forth costs nothing. */
const HIDDEN_MS = 20_000
const HERE_MS = 20_000

interface Held {
  users: number
  list: ListSubscription
}

class Live {
  #state: LiveState = NOTHING
  #status: Status = { state: 'connecting', since: Date.now() }
  #unfollowed: readonly string[] = []
  #listeners = new Set<() => void>()
  #topics = new Map<Topic, number>()
  #lists = new Map<string, Held>()
  #send: ((message: ToHub) => void) | undefined
  #visible = true
  #soon = false
  #ended: () => void = () => undefined

  get state(): LiveState {
    return this.#state
  }

  get status(): Status {
    return this.#status
  }

  /** Lists that the stream does not tell, since it tells too many others. */
  get unfollowed(): readonly string[] {
    return this.#unfollowed
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Begins, for somebody who is signed in. `ended`: the session turned out to have ended. */
  start(ended: () => void): () => void {
    this.#ended = ended
    const stop = typeof SharedWorker === 'undefined' ? this.#alone() : this.#shared()
    const here = setInterval(() => this.#send?.({ type: 'here' }), HERE_MS)
    let hidden: ReturnType<typeof setTimeout> | undefined
    const look = () => {
      clearTimeout(hidden)
      if (document.visibilityState === 'visible') this.#look(true)
      else hidden = setTimeout(() => this.#look(false), HIDDEN_MS)
    }
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(here)
      clearTimeout(hidden)
      document.removeEventListener('visibilitychange', look)
      stop()
      this.#send = undefined
      this.#change({ state: NOTHING, status: { state: 'connecting', since: Date.now() } })
    }
  }

  #shared(): () => void {
    const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: root })
    worker.port.onmessage = (message: MessageEvent<FromHub>) => this.#hear(message.data)
    worker.port.start()
    this.#send = (message) => worker.port.postMessage(message)
    const leave = () => this.#send?.({ type: 'leave' })
    const back = () => this.#wish()
    addEventListener('pagehide', leave)
    addEventListener('pageshow', back)
    this.#wish()
    return () => {
      removeEventListener('pagehide', leave)
      removeEventListener('pageshow', back)
      leave()
      worker.port.close()
    }
  }

  /** Where there are no shared workers, a tab has a stream of its own while it is looked at. */
  #alone(): () => void {
    const hub = new Hub(server(root), world)
    this.#send = hub.join((message) => this.#hear(message))
    this.#wish()
    return () => this.#send?.({ type: 'leave' })
  }

  #look(visible: boolean): void {
    if (visible === this.#visible) return
    this.#visible = visible
    this.#wish()
  }

  /** Try now. */
  try(): void {
    this.#send?.({ type: 'try' })
  }

  /** A topic is needed, until what comes back is called. */
  topic(topic: Topic): () => void {
    this.#topics.set(topic, (this.#topics.get(topic) ?? 0) + 1)
    this.#wish()
    return () => {
      const left = (this.#topics.get(topic) ?? 1) - 1
      if (left > 0) this.#topics.set(topic, left)
      else this.#topics.delete(topic)
      this.#wish()
    }
  }

  /** A part of a list is needed under this name, until what comes back is called. */
  list(name: string, list: ListSubscription): () => void {
    const held = this.#lists.get(name)
    this.#lists.set(name, { users: (held?.users ?? 0) + 1, list })
    this.#wish()
    return () => {
      const had = this.#lists.get(name)
      if (had && had.users > 1) this.#lists.set(name, { ...had, users: had.users - 1 })
      else {
        this.#lists.delete(name)
        this.#change({ state: without(this.#state, name) })
      }
      this.#wish()
    }
  }

  #wish(): void {
    if (this.#soon) return
    this.#soon = true
    queueMicrotask(() => {
      this.#soon = false
      const lists = this.#visible ? [...this.#lists].map(([name, held]) => [name, held.list] as const) : []
      const topics = [...this.#topics.keys()]
      this.#send?.({ type: 'wish', wish: { topics, lists: Object.fromEntries(lists) } })
      this.#forget(topics)
    })
  }

  /** A topic that is no longer told is no longer known. */
  #forget(topics: readonly Topic[]): void {
    const state = { ...this.#state }
    let changed = false
    for (const topic of ['links', 'operations', 'tasks', 'counts', 'overview'] as const) {
      if (topics.includes(topic) || state[topic] === undefined) continue
      state[topic] = undefined
      changed = true
    }
    if (!topics.includes('events') && state.events.length > 0) {
      state.events = []
      changed = true
    }
    if (changed) this.#change({ state })
  }

  #hear(message: FromHub): void {
    switch (message.type) {
      case 'status':
        this.#change({ status: message.status })
        break
      case 'message':
        this.#change({ state: apply(this.#state, message.message) })
        break
      case 'unfollowed':
        this.#unfollowed = message.lists
        this.#change({})
        break
      case 'ended':
        this.#ended()
        break
    }
  }

  #change(to: { state?: LiveState; status?: Status }): void {
    if (to.state) this.#state = to.state
    if (to.status) this.#status = to.status
    this.#listeners.forEach((listener) => listener())
  }
}

/** The live stream of this tab. */
export const live = new Live()
