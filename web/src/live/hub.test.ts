import { beforeEach, describe, expect, test } from 'vitest'
import type { StreamMessage, Subscriptions } from '~/api/types'
import { type FromHub, Hub, type Server, type ToHub, type World } from './hub'

/** Time that stands until it is moved. */
class Clock implements World {
  #now = 0
  #due: { at: number; act: () => void }[] = []
  now = () => this.#now
  random = () => 0.5
  later = (ms: number, act: () => void) => {
    const entry = { at: this.#now + ms, act }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((one) => one !== entry)
    }
  }
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settled()
      const next = this.#due.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#now = next.at
      this.#due = this.#due.filter((one) => one !== next)
      next.act()
    }
    this.#now = end
    await settled()
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0))

/** A server of which the test says what it does. */
class Fake implements Server {
  opened: (string | undefined)[] = []
  told: { stream: string; wanted: Subscriptions }[] = []
  answer: 'done' | 'unknown' | 'failed' = 'done'
  standing: 'stands' | 'ended' | { silent: string } = 'stands'
  closed = 0
  got: (message: StreamMessage, id?: string) => void = () => undefined
  lost: () => void = () => undefined
  open: Server['open'] = (last, got, lost) => {
    this.opened.push(last)
    this.got = (message, id = '') => got(message, id)
    this.lost = lost
    return { close: () => void (this.closed += 1) }
  }
  subscribe: Server['subscribe'] = (stream, wanted) => {
    this.told.push({ stream, wanted })
    return Promise.resolve(this.answer)
  }
  session = () => Promise.resolve(this.standing)
  hello(stream: string, resumed = false) {
    this.got({ type: 'hello', stream, resumed, heartbeat_seconds: 15, resume_seconds: 600, at: '' })
  }
}

let clock: Clock
let server: Fake
let hub: Hub

function tab(): { say: (message: ToHub) => void; heard: FromHub[] } {
  const heard: FromHub[] = []
  return { say: hub.join((message) => heard.push(message)), heard }
}

const guests = (offset = 0, limit = 100) => ({ of: 'guests' as const, q: '', sort: '', offset, limit })
const links: StreamMessage = { type: 'links', upserted: [{ id: 7, name: 'home' } as never], removed: [] }
const messages = (heard: FromHub[]) => heard.flatMap((one) => (one.type === 'message' ? [one.message] : []))

beforeEach(() => {
  clock = new Clock()
  server = new Fake()
  hub = new Hub(server, clock)
})

test('all tabs share one connection and one set of subscriptions', async () => {
  const [one, two] = [tab(), tab()]
  one.say({ type: 'wish', wish: { topics: ['links'], lists: { a: guests() } } })
  two.say({ type: 'wish', wish: { topics: ['counts'], lists: { b: guests() } } })
  server.hello('s')
  await clock.pass(100)
  expect(server.opened).toEqual([undefined])
  expect(server.told).toHaveLength(1)
  expect(server.told[0]?.wanted.topics).toEqual(['counts', 'links'])
  expect(Object.values(server.told[0]?.wanted.lists ?? {})).toEqual([guests()])
})

test('a tab hears what it wished for, under the names it chose, and nothing else', async () => {
  const [one, two] = [tab(), tab()]
  one.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  two.say({ type: 'wish', wish: { topics: [], lists: { mine: guests() } } })
  server.hello('s')
  await clock.pass(100)
  const name = Object.keys(server.told[0]?.wanted.lists ?? {})[0] ?? ''
  server.got(links)
  server.got({ type: 'list', list: name, of: 'guests', rows: [], removed: [], order: [], total: 0, counts: {}, revision: 1 })
  expect(messages(one.heard).map((message) => message.type)).toEqual(['links'])
  expect(messages(two.heard)).toMatchObject([{ type: 'list', list: 'mine' }])
})

test('a tab that comes later is told what is known, without asking again', async () => {
  const one = tab()
  one.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  server.hello('s')
  await clock.pass(100)
  server.got(links)
  const two = tab()
  two.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  await clock.pass(100)
  expect(messages(two.heard)).toEqual([links])
  expect(server.told).toHaveLength(1)
})

test('what nobody follows any more is not known any more', async () => {
  const one = tab()
  one.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  server.hello('s')
  await clock.pass(100)
  server.got(links)
  one.say({ type: 'wish', wish: { topics: [], lists: {} } })
  await clock.pass(100)
  const two = tab()
  two.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  expect(messages(two.heard)).toEqual([])
})

describe('a break', () => {
  test('is said with its cause, and taken up after what was last received', async () => {
    const one = tab()
    server.hello('s')
    server.got(links, 's.4')
    server.standing = { silent: 'Muster does not answer' }
    server.lost()
    await clock.pass(10)
    expect(one.heard.at(-1)).toMatchObject({ type: 'status', status: { state: 'cut', why: 'Muster does not answer' } })
    await clock.pass(20_000)
    expect(server.opened.slice(0, 2)).toEqual([undefined, 's.4'])
    server.hello('s', true)
    expect(one.heard.at(-1)).toMatchObject({ type: 'status', status: { state: 'live' } })
  })

  test('keeps its beginning while tries fail, and waits longer each time', async () => {
    const one = tab()
    server.hello('s')
    server.lost()
    const began = clock.now()
    const gaps: number[] = []
    for (let round = 0; round < 8; round += 1) {
      const before = server.opened.length
      const from = clock.now()
      while (server.opened.length === before) await clock.pass(100)
      gaps.push(clock.now() - from)
      server.lost()
    }
    const said = one.heard.at(-1)
    expect(said).toMatchObject({ type: 'status', status: { state: 'cut', since: began } })
    expect(gaps[0]).toBeLessThan(1000)
    expect(gaps.at(-1)).toBeGreaterThan(10_000)
    expect(Math.max(...gaps)).toBeLessThan(20_000)
  })

  test('is noticed when nothing comes, not even a heartbeat', async () => {
    const one = tab()
    server.hello('s')
    await clock.pass(30_000)
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'live' } })
    await clock.pass(10_000)
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'cut' } })
  })

  test('ends at once when a person says so', async () => {
    const one = tab()
    server.hello('s')
    for (let round = 0; round < 6; round += 1) {
      server.lost()
      await clock.pass(20_000)
    }
    server.lost()
    const before = server.opened.length
    one.say({ type: 'try' })
    expect(server.opened).toHaveLength(before + 1)
  })
})

test('after a reset the new stream is told anew what to tell', async () => {
  const one = tab()
  one.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  server.hello('s')
  await clock.pass(100)
  server.lost()
  await clock.pass(1000)
  server.got({ type: 'reset', why: 'not_known' })
  server.hello('t')
  await clock.pass(100)
  expect(server.told.map((one) => one.stream)).toEqual(['s', 't'])
  expect(messages(one.heard)).toMatchObject([{ type: 'reset' }])
})

test('the end of the session is told to every tab, and nothing is tried any more', async () => {
  const [one, two] = [tab(), tab()]
  server.hello('s')
  server.standing = 'ended'
  server.got({ type: 'bye', why: 'signed_out' })
  await clock.pass(60_000)
  expect(one.heard.at(-1)).toEqual({ type: 'ended' })
  expect(two.heard.at(-1)).toEqual({ type: 'ended' })
  expect(server.opened).toHaveLength(1)
})

test('what does not fit into one stream is told to the tab that lacks it; the latest heard comes first', async () => {
  const old = tab()
  old.say({ type: 'wish', wish: { topics: [], lists: { much: guests(0, 600) } } })
  server.hello('s')
  await clock.pass(100)
  const fresh = tab()
  fresh.say({ type: 'wish', wish: { topics: [], lists: { more: guests(600, 600) } } })
  await clock.pass(100)
  expect(old.heard.at(-1)).toEqual({ type: 'unfollowed', lists: ['much'] })
  expect(Object.values(server.told.at(-1)?.wanted.lists ?? {})).toEqual([guests(600, 600)])
})

test('a tab that is silent for long has gone, and its lists with it', async () => {
  const [gone, here] = [tab(), tab()]
  gone.say({ type: 'wish', wish: { topics: ['tasks'], lists: {} } })
  here.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  server.hello('s')
  for (let round = 0; round < 10; round += 1) {
    await clock.pass(20_000)
    server.got({ type: 'heartbeat', at: '', revision: 1 })
    here.say({ type: 'here' })
  }
  await clock.pass(100)
  expect(server.told.at(-1)?.wanted.topics).toEqual(['links'])
})

test('a wish that could not be told is told again', async () => {
  const one = tab()
  server.answer = 'failed'
  one.say({ type: 'wish', wish: { topics: ['links'], lists: {} } })
  server.hello('s')
  await clock.pass(100)
  server.answer = 'done'
  await clock.pass(2000)
  expect(server.told.length).toBeGreaterThan(1)
})
