/** [Line]: the one connection to the server. Opened, watched, taken up again after a break, and given up. */
import type { StreamMessage } from '~/api/types'
import type { Connection, Server, Status, World } from './protocol'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 15_000
const USUAL_HEARTBEAT_MS = 15_000

/** What whoever holds the line is told. */
export interface Ears {
  status(status: Status): void
  beat(): void
  /** A connection stands; nobody has told it yet what is wanted. */
  opened(): void
  /** What was told so far is void: what comes is not about changes of it. */
  void(): void
  told(message: StreamMessage): void
  /** Whose session stands, while the line is cut. */
  session(session: { who: string } | 'ended'): void
}

export class Line {
  #server: Server
  #world: World
  #ears: Ears
  #status: Status
  #connection: Connection | undefined
  #stream: string | undefined
  #last: string | undefined
  /** What comes is a stream of its own, not one taken up again. */
  #fresh = true
  #failures = 0
  #heartbeatMs = USUAL_HEARTBEAT_MS
  #watch: (() => void) | undefined
  #retry: (() => void) | undefined
  /** Which use of the line this is: answers to questions of an earlier one say nothing. */
  #use = 0

  constructor(server: Server, world: World, ears: Ears) {
    this.#server = server
    this.#world = world
    this.#ears = ears
    this.#status = { state: 'connecting', since: world.now() }
  }

  get status(): Status {
    return this.#status
  }

  /** The stream's id while a connection to it stands. */
  get stream(): string | undefined {
    return this.#stream
  }

  open(): void {
    if (this.#connection || this.#retry) return
    this.#status = { state: 'connecting', since: this.#world.now() }
    this.#connect()
  }

  /** Try now. */
  try(): void {
    if (this.#status.state === 'live') return
    this.#failures = 0
    this.#connect()
  }

  /** Gives it up, and forgets all about it. */
  close(): void {
    this.#use += 1
    this.#drop()
    this.#retry?.()
    this.#retry = undefined
    this.#last = undefined
    this.#failures = 0
    this.#status = { state: 'connecting', since: this.#world.now() }
  }

  /** The server tells what is wanted. */
  proven(): void {
    if (this.#stream === undefined) return
    this.#failures = 0
    if (this.#status.state !== 'live') this.#say({ state: 'live', since: this.#world.now() })
  }

  /** A connection stands, but what is wanted does not come over it. */
  useless(why: string, nextTry: number): void {
    const since = this.#status.state === 'cut' ? this.#status.since : this.#world.now()
    this.#say({ state: 'cut', since, why, nextTry })
  }

  /** The connection is good for nothing: there will be another one. */
  lost(): void {
    this.#drop()
    if (this.#retry) return
    const pause =
      Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10)) * (0.75 + this.#world.random() / 2)
    this.#failures += 1
    this.#retry = this.#world.later(pause, () => this.#connect())
    const since = this.#status.state === 'cut' ? this.#status.since : this.#world.now()
    const why = this.#status.state === 'cut' ? this.#status.why : 'the connection to Muster broke'
    this.#say({ state: 'cut', since, why, nextTry: this.#world.now() + pause })
    void this.#ask(since)
  }

  #drop(): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#stream = undefined
    this.#watch?.()
    this.#watch = undefined
  }

  #connect(): void {
    this.#retry?.()
    this.#retry = undefined
    this.#drop()
    this.#fresh = this.#last === undefined
    const connection = this.#server.open(
      this.#last,
      (message, id) => {
        if (this.#connection === connection) this.#got(message, id)
      },
      () => {
        if (this.#connection === connection) this.lost()
      },
    )
    this.#connection = connection
    this.#guard()
  }

  /** Nothing for two heartbeats and a half: the connection is dead, whatever it says itself. */
  #guard(): void {
    this.#watch?.()
    this.#watch = this.#world.later(this.#heartbeatMs * 2.5, () => this.lost())
  }

  /** Finds out what is wrong. */
  async #ask(since: number): Promise<void> {
    const use = this.#use
    const session = await this.#server.session()
    if (use !== this.#use) return
    if (session === 'ended' || 'who' in session) this.#ears.session(session)
    if (use !== this.#use || this.#status.state !== 'cut' || this.#status.since !== since) return
    const why = typeof session === 'object' && 'silent' in session ? session.silent : 'the live stream broke; Muster itself answers'
    if (why !== this.#status.why) this.#say({ ...this.#status, why })
  }

  #got(message: StreamMessage, id: string): void {
    if (id) this.#last = id
    this.#guard()
    switch (message.type) {
      case 'hello':
        this.#stream = message.stream
        this.#heartbeatMs = message.heartbeat_seconds * 1000
        this.#guard()
        if (this.#fresh) this.#ears.void()
        this.#ears.opened()
        return
      case 'heartbeat':
        this.#ears.beat()
        return
      case 'bye':
        // Another connection has this stream now, or none: what comes next is a new one.
        if (message.why !== 'stopping') this.#last = undefined
        this.lost()
        return
      default:
        this.#ears.told(message)
    }
  }

  #say(status: Status): void {
    this.#status = status
    this.#ears.status(status)
  }
}
