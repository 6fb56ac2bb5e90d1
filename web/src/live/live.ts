/**
 * The live stream as this tab sees it: [live]. Screens say what they need with the hooks of `hooks.ts`; what all of them
 * need together is wished for, and only while the tab is looked at.
 */
import type { ListSubscription, Topic } from '~/api/types'
import { now, toServer } from '~/ui/now'
import { alone, type Port, shared } from './port'
import type { FromHub, Status, ToHub } from './protocol'
import { apply, type LiveState, NOTHING, without } from './state'

/** A hidden tab keeps its lists for this long: going back and forth costs nothing. */
const HIDDEN_MS = 20_000
const HERE_MS = 20_000

interface Held {
  users: number
  list: ListSubscription
}

function visible(): boolean {
  return document.visibilityState === 'visible'
}

/** The hub goes by this machine's clock, screens by the server's. */
function byServer(status: Status): Status {
  const since = toServer(status.since)
  return status.state === 'cut' ? { ...status, since, nextTry: status.nextTry && toServer(status.nextTry) } : { ...status, since }
}

export class Live {
  #state: LiveState = NOTHING
  #status: Status = { state: 'connecting', since: now() }
  #unfollowed: readonly string[] = []
  #listeners = new Set<() => void>()
  #topics = new Map<Topic, number>()
  #lists = new Map<string, Held>()
  #port: Port | undefined
  #who = ''
  #ended: () => void = () => undefined
  /** The hub knows of this tab. */
  #there = false
  /** Somebody looks at it, or did a moment ago. */
  #looked = true
  /** The page was left; browsers may bring it back. */
  #left = false
  #soon = false

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

  /** Begins, for somebody who is signed in ([whoOf]). `ended`: the session turned out to have ended. */
  start(who: string, ended: () => void): () => void {
    this.#who = who
    this.#ended = ended
    this.#looked = visible()
    this.#left = false
    this.#port = shared(this.#hear, () => this.#move(alone(this.#hear))) ?? alone(this.#hear)
    const gone = new AbortController()
    const on = (target: EventTarget, name: string, act: () => void) => target.addEventListener(name, act, { signal: gone.signal })
    let hidden: ReturnType<typeof setTimeout> | undefined
    on(document, 'visibilitychange', () => {
      clearTimeout(hidden)
      if (visible()) this.#look(true)
      else hidden = setTimeout(() => this.#look(false), HIDDEN_MS)
      this.#attend()
    })
    on(window, 'pagehide', () => {
      this.#left = true
      this.#attend()
    })
    on(window, 'pageshow', () => {
      this.#left = false
      this.#attend()
    })
    const here = setInterval(() => this.#tell({ type: 'here' }), HERE_MS)
    this.#attend()
    return () => {
      gone.abort()
      clearInterval(here)
      clearTimeout(hidden)
      this.#move(undefined)
      this.#change({ state: NOTHING })
    }
  }

  /** Speaks with another hub, or with none. */
  #move(port: Port | undefined): void {
    this.#tell({ type: 'leave' })
    this.#port?.close()
    this.#port = port
    this.#away()
    this.#attend()
  }

  /** Comes to the hub, or leaves it. A hub of its own gives a tab a connection of its own: only while it is looked at. */
  #attend(): void {
    const there = this.#port !== undefined && !this.#left && (visible() || !this.#port.alone)
    if (there && this.#there) this.#tell({ type: 'here' })
    if (there === this.#there) return
    if (there) {
      this.#there = true
      this.#tell({ type: 'come', who: this.#who })
    } else {
      this.#tell({ type: 'leave' })
      this.#away()
    }
  }

  /** Nothing is told: what is known is from before. */
  #away(): void {
    this.#there = false
    this.#change({ status: { state: 'connecting', since: now() } })
  }

  #tell(message: ToHub): void {
    if (this.#there) this.#port?.send(message)
  }

  #look(looked: boolean): void {
    if (looked === this.#looked) return
    this.#looked = looked
    this.#wish()
  }

  /** Try now. */
  try(): void {
    this.#tell({ type: 'try' })
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
      const lists = this.#looked ? [...this.#lists].map(([name, held]) => [name, held.list] as const) : []
      const topics = [...this.#topics.keys()]
      this.#tell({ type: 'wish', wish: { topics, lists: Object.fromEntries(lists) } })
      this.#forget(topics)
    })
  }

  /** A topic that is no longer told is no longer known. */
  #forget(topics: readonly Topic[]): void {
    const state = { ...this.#state }
    let changed = false
    for (const topic of ['links', 'operations', 'tasks', 'counts', 'overview', 'events'] as const) {
      if (topics.includes(topic) || state[topic] === undefined) continue
      state[topic] = undefined
      changed = true
    }
    if (changed) this.#change({ state })
  }

  #hear = (message: FromHub): void => {
    switch (message.type) {
      case 'anew':
        this.#unfollowed = []
        this.#change({ state: NOTHING })
        this.#wish()
        break
      case 'status':
        this.#change({ status: byServer(message.status) })
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
