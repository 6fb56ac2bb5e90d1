/**
 * [Hub]: holds the one live stream of this browser and passes on to each tab what it wants of it. Lives in a
 * SharedWorker, or in the page itself where there is none. Knows neither: both hand in how the server is spoken with.
 * When its last tab has gone it holds nothing: no connection, and nothing of what was told.
 */
import type { ListSubscription, StreamMessage, Topic } from '~/api/types'
import { Following, keyOf, rowsOf, type Wanted } from './following'
import { Line } from './line'
import type { FromHub, Server, ToHub, Wish, World } from './protocol'
import { apply, type LiveState, isNothing, NOTHING, retold, retoldList, without } from './state'

/** Of one stream, by contract of the API. */
const MOST_LISTS = 8
const MOST_ROWS = 1000

/** A tab that has said nothing for so long has gone. Browsers let hidden tabs speak once a minute only. */
const SILENT_MS = 150_000

/** Nobody could say whose session stands: asked again after so long. */
const ASK_AGAIN_MS = 2000

interface Tab {
  who: string | undefined
  wish: Wish
  seen: number
  tell: (message: FromHub) => void
  unfollowed: string
  /** It is waited for an answer whether its person is signed in. */
  waits: boolean
}

const nothing = (): Wish => ({ topics: [], lists: {} })

export class Hub {
  #server: Server
  #world: World
  #line: Line
  #following: Following
  #tabs = new Map<number, Tab>()
  #next = 1
  /** Whose tabs these are. */
  #who: string | undefined
  #state: LiveState = NOTHING

  constructor(server: Server, world: World) {
    this.#server = server
    this.#world = world
    this.#line = new Line(server, world, {
      status: (status) => this.#tellAll({ type: 'status', status }),
      beat: () => this.#sweep(),
      opened: () => this.#following.anew(),
      void: () => {
        if (!isNothing(this.#state)) this.#told({ type: 'reset', why: 'not_known' })
      },
      told: (message) => this.#told(message),
      session: (session) => {
        if (session === 'ended' || session.who !== this.#who) this.#end()
      },
    })
    this.#following = new Following(server, world, {
      stream: () => this.#line.stream,
      wanted: (refused) => this.#wanted(refused),
      done: (after) => {
        if (after !== undefined) this.#told({ type: 'events', items: [], up_to: after })
        this.#line.proven()
      },
      failed: (why, nextTry) => this.#line.useless(why, nextTry),
      unknown: () => this.#line.lost(),
    })
  }

  /** A way for a tab to come. What it gets back is what it speaks through. */
  join(tell: (message: FromHub) => void): (message: ToHub) => void {
    const id = this.#next++
    const tab: Tab = { who: undefined, wish: nothing(), seen: 0, tell, unfollowed: '', waits: false }
    return (message) => this.#hear(id, tab, message)
  }

  #hear(id: number, tab: Tab, message: ToHub): void {
    tab.seen = this.#world.now()
    if (message.type === 'leave') {
      tab.waits = false
      this.#tabs.delete(id)
      this.#fewer()
      return
    }
    if (message.type === 'come') tab.who = message.who
    if (!this.#tabs.has(id)) {
      // Silent for so long that it was taken for gone, or back from where browsers keep pages that were left.
      if (!this.#come(id, tab)) return
    }
    switch (message.type) {
      case 'wish':
        this.#wish(tab, message.wish)
        break
      case 'try':
        this.#line.try()
        break
    }
    this.#sweep()
  }

  /** Whether the tab is one of ours now. */
  #come(id: number, tab: Tab): boolean {
    if (tab.who === undefined || tab.waits) return false
    if (this.#tabs.size > 0 && this.#who !== tab.who) {
      tab.waits = true
      void this.#whose(id, tab)
      return false
    }
    this.#who = tab.who
    this.#tabs.set(id, tab)
    tab.wish = nothing()
    tab.unfollowed = ''
    tab.tell({ type: 'anew' })
    this.#line.open()
    tab.tell({ type: 'status', status: this.#line.status })
    return true
  }

  /** A tab of somebody else has come: one of both is not signed in any more. */
  async #whose(id: number, tab: Tab): Promise<void> {
    const session = await this.#server.session()
    if (!tab.waits) return
    if (session !== 'ended' && 'silent' in session) {
      this.#world.later(ASK_AGAIN_MS, () => void this.#whose(id, tab))
      return
    }
    tab.waits = false
    const who = session === 'ended' ? undefined : session.who
    if (who !== this.#who) this.#end()
    if (who === tab.who) this.#come(id, tab)
    else this.#endOf(tab)
  }

  #sweep(): void {
    const before = this.#tabs.size
    for (const [id, tab] of this.#tabs) if (this.#world.now() - tab.seen > SILENT_MS) this.#tabs.delete(id)
    if (this.#tabs.size !== before) this.#fewer()
  }

  #fewer(): void {
    if (this.#tabs.size > 0) this.#following.follow()
    else this.#close()
  }

  #close(): void {
    this.#line.close()
    this.#state = NOTHING
    this.#who = undefined
  }

  /** The session has ended, or another one has begun. */
  #end(): void {
    const tabs = [...this.#tabs.values()]
    this.#tabs.clear()
    this.#close()
    tabs.forEach((tab) => this.#endOf(tab))
  }

  /** Until it comes as somebody again, nothing is heard of this tab. */
  #endOf(tab: Tab): void {
    tab.who = undefined
    tab.tell({ type: 'ended' })
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
      const held = this.#state.lists.get(this.#following.nameOf(key) ?? '')
      if (held) tab.tell({ type: 'message', message: retoldList(name, list.of, held) })
    }
    this.#following.follow()
  }

  /** What all tabs want together, as far as one stream may tell it: of lists, the latest heard first. */
  #wanted(refused: ReadonlySet<string>): Wanted {
    const topics = new Set<Topic>()
    const lists = new Map<string, ListSubscription>()
    let rows = 0
    for (const tab of [...this.#tabs.values()].sort((a, b) => b.seen - a.seen)) {
      tab.wish.topics.forEach((topic) => topics.add(topic))
      for (const list of Object.values(tab.wish.lists)) {
        const key = keyOf(list)
        if (refused.has(key) || lists.has(key) || lists.size === MOST_LISTS || rows + rowsOf(list) > MOST_ROWS) continue
        lists.set(key, list)
        rows += rowsOf(list)
      }
    }
    for (const tab of this.#tabs.values()) {
      const left = Object.entries(tab.wish.lists).filter(([, list]) => !lists.has(keyOf(list)))
      const names = left.map(([name]) => name)
      if (names.join('\n') === tab.unfollowed) continue
      tab.unfollowed = names.join('\n')
      tab.tell({ type: 'unfollowed', lists: names })
    }
    this.#forget(topics, new Set([...lists.keys()].map((key) => this.#following.nameOf(key))))
    return { topics: [...topics].sort(), lists }
  }

  /** What is no longer followed is not known any more. */
  #forget(topics: ReadonlySet<Topic>, names: ReadonlySet<string | undefined>): void {
    for (const name of this.#state.lists.keys()) if (!names.has(name)) this.#state = without(this.#state, name)
    const kept = <T>(topic: Topic, told: T) => (topics.has(topic) ? told : undefined)
    const { links, operations, tasks, counts, overview, events, lists } = this.#state
    this.#state = {
      links: kept('links', links),
      operations: kept('operations', operations),
      tasks: kept('tasks', tasks),
      counts: kept('counts', counts),
      overview: kept('overview', overview),
      events: kept('events', events),
      lists,
    }
  }

  #told(message: StreamMessage): void {
    this.#state = apply(this.#state, message)
    for (const tab of this.#tabs.values()) {
      if (message.type === 'reset') tab.tell({ type: 'message', message })
      else if (message.type === 'list') {
        for (const [name, list] of Object.entries(tab.wish.lists)) {
          if (this.#following.nameOf(keyOf(list)) === message.list) tab.tell({ type: 'message', message: { ...message, list: name } })
        }
      } else if (tab.wish.topics.some((topic) => topic === message.type)) tab.tell({ type: 'message', message })
    }
  }

  #tellAll(message: FromHub): void {
    for (const tab of this.#tabs.values()) tab.tell(message)
  }
}
