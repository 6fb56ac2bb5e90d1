/**
 * [Hub]: holds the one live stream of this browser and passes on to each tab what it wants of it. Lives in a
 * SharedWorker, or in the page itself where there is none. Knows neither: both hand in how the server is spoken with.
 */
import type { ListSubscription, StreamMessage, Subscriptions, Topic } from '~/api/types'
import { apply, type LiveState, NOTHING, retold, retoldList, without } from './state'

/** What one tab wants. Lists are under names that the tab chose. */
export interface Wish {
  topics: Topic[]
  lists: Record<string, ListSubscription>
}

/** How the live stream fares. Times are milliseconds since 1970. */
export type Status =
  | { state: 'connecting'; since: number }
  | { state: 'live'; since: number }
  | { state: 'cut'; since: number; why: string; nextTry: number | undefined }

/** From a tab to the hub. */
export type ToHub =
  | { type: 'wish'; wish: Wish }
  /** Says that the tab is still there. */
  | { type: 'here' }
  /** Try now. */
  | { type: 'try' }
  | { type: 'leave' }

/** From the hub to a tab. */
export type FromHub =
  | { type: 'status'; status: Status }
  | { type: 'message'; message: StreamMessage }
  /** These lists of the tab cannot be followed beside all the others: one stream has a bound. */
  | { type: 'unfollowed'; lists: string[] }
  /** The session has ended. */
  | { type: 'ended' }

/** An open connection. */
export interface Connection {
  close(): void
}

/** How the server is spoken with. */
export interface Server {
  /** Opens the stream, after what was last received. `lost`: the connection is gone, for whatever reason. */
  open(last: string | undefined, got: (message: StreamMessage, id: string) => void, lost: () => void): Connection
  /** Says what shall be told. `unknown`: the server has no such stream. */
  subscribe(stream: string, wanted: Subscriptions): Promise<'done' | 'unknown' | 'failed'>
  /** Whether the session stands, and if nobody can tell, why. */
  session(): Promise<'stands' | 'ended' | { silent: string }>
}

/** Time and chance. */
export interface World {
  now(): number
  random(): number
  /** Calls back after so many milliseconds; the answer takes it back. */
  later(ms: number, act: () => void): () => void
}

/** Of one stream, by contract of the API. */
const MOST_LISTS = 8
const MOST_ROWS = 1000
const USUAL_ROWS = 100

/** A tab that has said nothing for so long has gone. Browsers let hidden tabs speak once a minute only. */
const SILENT_MS = 150_000

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000

interface Tab {
  wish: Wish
  seen: number
  tell: (message: FromHub) => void
  unfollowed: string
}

export class Hub {
  #server: Server
  #world: World
  #tabs = new Map<number, Tab>()
  #next = 1
  #state: LiveState = NOTHING
  #status: Status
  #connection: Connection | undefined
  #stream: string | undefined
  #last: string | undefined
  #failures = 0
  #heartbeatMs = 15_000
  #watch: (() => void) | undefined
  #retry: (() => void) | undefined
  /** The names, on the stream, of the lists that are followed, by what they are lists of. */
  #lists = new Map<string, string>()
  #names = 1
  #told = ''
  #telling = false
  #soon = false

  constructor(server: Server, world: World) {
    this.#server = server
    this.#world = world
    this.#status = { state: 'connecting', since: world.now() }
  }

  /** A tab has come; what it gets back is what it speaks through. */
  join(tell: (message: FromHub) => void): (message: ToHub) => void {
    const id = this.#next++
    const tab: Tab = { wish: { topics: [], lists: {} }, seen: this.#world.now(), tell, unfollowed: '' }
    this.#tabs.set(id, tab)
    tell({ type: 'status', status: this.#status })
    if (!this.#connection && !this.#retry) this.#connect()
    return (message) => this.#hear(id, tab, message)
  }

  #hear(id: number, tab: Tab, message: ToHub): void {
    tab.seen = this.#world.now()
    // Back from where browsers keep pages that were left.
    if (message.type !== 'leave') this.#tabs.set(id, tab)
    switch (message.type) {
      case 'wish':
        this.#wish(tab, message.wish)
        break
      case 'try':
        if (this.#status.state !== 'live') {
          this.#failures = 0
          this.#connect()
        }
        break
      case 'leave':
        this.#tabs.delete(id)
        this.#follow()
        break
      case 'here':
        this.#sweep()
        break
    }
  }

  #sweep(): void {
    const before = this.#tabs.size
    for (const [id, tab] of this.#tabs) if (this.#world.now() - tab.seen > SILENT_MS) this.#tabs.delete(id)
    if (this.#tabs.size !== before) this.#follow()
  }

  #wish(tab: Tab, wish: Wish): void {
    const had = tab.wish
    tab.wish = wish
    // What is known already is told at once.
    const topics = wish.topics.filter((topic) => !had.topics.includes(topic))
    for (const message of retold(this.#state, topics)) tab.tell({ type: 'message', message })
    for (const [name, list] of Object.entries(wish.lists)) {
      const key = keyOf(list)
      const old = had.lists[name]
      if (old && keyOf(old) === key) continue
      const held = this.#state.lists.get(this.#lists.get(key) ?? '')
      if (held) tab.tell({ type: 'message', message: retoldList(name, list.of, held) })
    }
    this.#follow()
  }

  /** What all tabs want together, as far as one stream may tell it: of lists, the latest heard first. */
  #wanted(): { topics: Topic[]; lists: Map<string, ListSubscription> } {
    const topics = new Set<Topic>()
    const lists = new Map<string, ListSubscription>()
    let rows = 0
    for (const tab of [...this.#tabs.values()].sort((a, b) => b.seen - a.seen)) {
      tab.wish.topics.forEach((topic) => topics.add(topic))
      for (const list of Object.values(tab.wish.lists)) {
        const key = keyOf(list)
        const more = list.limit ?? USUAL_ROWS
        if (lists.has(key) || lists.size === MOST_LISTS || rows + more > MOST_ROWS) continue
        lists.set(key, list)
        rows += more
      }
    }
    return { topics: [...topics].sort(), lists }
  }

  /** Brings the stream to what is wanted. Wishes that come in one go are told in one go. */
  #follow(): void {
    if (this.#soon) return
    this.#soon = true
    this.#world.later(20, () => {
      this.#soon = false
      void this.#tell()
    })
  }

  async #tell(): Promise<void> {
    if (!this.#stream || this.#telling) return
    const { topics, lists } = this.#wanted()
    for (const tab of this.#tabs.values()) {
      const left = Object.entries(tab.wish.lists).filter(([, list]) => !lists.has(keyOf(list)))
      const names = left.map(([name]) => name)
      if (names.join('\n') !== tab.unfollowed) {
        tab.unfollowed = names.join('\n')
        tab.tell({ type: 'unfollowed', lists: names })
      }
    }
    this.#forget(topics, lists)
    const wanted: Subscriptions = { topics, lists: {} }
    for (const [key, list] of lists) {
      const name = this.#lists.get(key) ?? `l${this.#names++}`
      this.#lists.set(key, name)
      wanted.lists = { ...wanted.lists, [name]: list }
    }
    const told = JSON.stringify(wanted)
    if (told === this.#told) return
    const stream = this.#stream
    this.#telling = true
    const outcome = await this.#server.subscribe(stream, wanted)
    this.#telling = false
    if (stream !== this.#stream) {
      this.#told = ''
      this.#follow()
    } else if (outcome === 'done') {
      this.#told = told
      // Something else may have been wished for meanwhile.
      this.#follow()
    } else if (outcome === 'unknown') {
      this.#lost()
    } else {
      this.#world.later(1000, () => this.#follow())
    }
  }

  /** What is no longer followed is not known any more. */
  #forget(topics: readonly Topic[], lists: ReadonlyMap<string, unknown>): void {
    for (const [key, name] of this.#lists) {
      if (lists.has(key)) continue
      this.#lists.delete(key)
      this.#state = without(this.#state, name)
    }
    const kept = (topic: Topic) => topics.includes(topic)
    if (!kept('links')) this.#state = { ...this.#state, links: undefined }
    if (!kept('operations')) this.#state = { ...this.#state, operations: undefined }
    if (!kept('tasks')) this.#state = { ...this.#state, tasks: undefined }
    if (!kept('counts')) this.#state = { ...this.#state, counts: undefined }
    if (!kept('overview')) this.#state = { ...this.#state, overview: undefined }
    if (!kept('events')) this.#state = { ...this.#state, events: [] }
  }

  #connect(): void {
    this.#retry?.()
    this.#retry = undefined
    this.#connection?.close()
    this.#stream = undefined
    this.#told = ''
    const connection = this.#server.open(
      this.#last,
      (message, id) => {
        if (this.#connection === connection) this.#got(message, id)
      },
      () => {
        if (this.#connection === connection) this.#lost()
      },
    )
    this.#connection = connection
    this.#guard()
  }

  /** Nothing for two heartbeats and a half: the connection is dead, whatever it says itself. */
  #guard(): void {
    this.#watch?.()
    this.#watch = this.#world.later(this.#heartbeatMs * 2.5, () => this.#lost())
  }

  #lost(): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#stream = undefined
    this.#watch?.()
    this.#watch = undefined
    if (this.#retry) return
    const pause =
      Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10)) * (0.75 + this.#world.random() / 2)
    this.#failures += 1
    this.#retry = this.#world.later(pause, () => {
      this.#retry = undefined
      this.#connect()
    })
    const since = this.#status.state === 'cut' ? this.#status.since : this.#world.now()
    const why = this.#status.state === 'cut' ? this.#status.why : 'the connection to Muster broke'
    this.#say({ state: 'cut', since, why, nextTry: this.#world.now() + pause })
    void this.#ask(since)
  }

  /** Finds out what is wrong. */
  async #ask(since: number): Promise<void> {
    const session = await this.#server.session()
    if (session === 'ended') {
      this.#end()
    } else if (this.#status.state === 'cut' && this.#status.since === since) {
      const why = session === 'stands' ? 'the live stream broke; Muster itself answers' : session.silent
      if (why !== this.#status.why) this.#say({ ...this.#status, why })
    }
  }

  #end(): void {
    this.#retry?.()
    this.#retry = undefined
    this.#watch?.()
    this.#connection?.close()
    this.#connection = undefined
    this.#stream = undefined
    this.#last = undefined
    this.#state = NOTHING
    for (const tab of this.#tabs.values()) tab.tell({ type: 'ended' })
    this.#tabs.clear()
    this.#status = { state: 'connecting', since: this.#world.now() }
  }

  #say(status: Status): void {
    this.#status = status
    for (const tab of this.#tabs.values()) tab.tell({ type: 'status', status })
  }

  #got(message: StreamMessage, id: string): void {
    if (id) this.#last = id
    this.#guard()
    switch (message.type) {
      case 'hello':
        this.#stream = message.stream
        this.#heartbeatMs = message.heartbeat_seconds * 1000
        this.#failures = 0
        this.#say({ state: 'live', since: this.#world.now() })
        if (!message.resumed) this.#told = ''
        this.#guard()
        this.#follow()
        return
      case 'heartbeat':
        return
      case 'bye':
        // Another connection has this stream now, or none: what comes next is a new one.
        if (message.why !== 'stopping') this.#last = undefined
        if (message.why === 'taken_up') this.#reset(message)
        this.#lost()
        return
      case 'reset':
        this.#reset(message)
        return
      default:
        this.#state = apply(this.#state, message)
        this.#pass(message)
    }
  }

  #reset(message: StreamMessage): void {
    this.#state = NOTHING
    this.#told = ''
    const reset: StreamMessage = message.type === 'reset' ? message : { type: 'reset', why: 'not_known' }
    for (const tab of this.#tabs.values()) tab.tell({ type: 'message', message: reset })
  }

  #pass(message: StreamMessage): void {
    for (const tab of this.#tabs.values()) {
      if (message.type !== 'list') {
        if (tab.wish.topics.some((topic) => topic === message.type)) tab.tell({ type: 'message', message })
        continue
      }
      for (const [name, list] of Object.entries(tab.wish.lists)) {
        if (this.#lists.get(keyOf(list)) !== message.list) continue
        tab.tell({ type: 'message', message: { ...message, list: name } })
      }
    }
  }
}

function keyOf(list: ListSubscription): string {
  return JSON.stringify([list.of, list.q ?? '', list.sort ?? '', list.offset ?? 0, list.limit ?? USUAL_ROWS])
}
