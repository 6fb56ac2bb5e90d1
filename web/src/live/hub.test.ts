import { beforeEach, describe, expect, test } from 'vitest'
import type { StreamMessage, Subscriptions, Topic } from '~/api/types'
import { Hub } from './hub'
import type { FromHub, Outcome, Server, ToHub, Wish, World } from './protocol'

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
  answer: Outcome | ((wanted: Subscriptions) => Outcome) = { is: 'done' }
  standing: { who: string } | 'ended' | { silent: string } = { who: 'ada' }
  /** Connections that are open now. */
  connections = 0
  got: (message: StreamMessage, id?: string) => void = () => undefined
  lost: () => void = () => undefined
  open: Server['open'] = (last, got, lost) => {
    this.opened.push(last)
    this.connections += 1
    this.got = (message, id = '') => got(message, id)
    this.lost = lost
    return { close: () => void (this.connections -= 1) }
  }
  subscribe: Server['subscribe'] = (stream, wanted) => {
    this.told.push({ stream, wanted })
    return Promise.resolve(typeof this.answer === 'function' ? this.answer(wanted) : this.answer)
  }
  session: Server['session'] = () => Promise.resolve(this.standing)
  hello(stream: string, resumed = false) {
    this.got({ type: 'hello', stream, resumed, heartbeat_seconds: 15, resume_seconds: 600, at: '' })
  }
}

let clock: Clock
let server: Fake
let hub: Hub

/** A tab of somebody. */
function tab(who = 'ada'): { say: (message: ToHub) => void; heard: FromHub[] } {
  const heard: FromHub[] = []
  const say = hub.join((message) => heard.push(message))
  say({ type: 'come', who })
  return { say, heard }
}

const guests = (offset = 0, limit = 100) => ({ of: 'guests' as const, q: '', sort: '', offset, limit })
const links: StreamMessage = { type: 'links', upserted: [{ id: 7, name: 'home' } as never], removed: [] }
const wish = (topics: Topic[], lists: Wish['lists'] = {}): ToHub => ({ type: 'wish', wish: { topics, lists } })
const messages = (heard: FromHub[]) => heard.flatMap((one) => (one.type === 'message' ? [one.message] : []))

beforeEach(() => {
  clock = new Clock()
  server = new Fake()
  hub = new Hub(server, clock)
})

test('all tabs share one connection and one set of subscriptions', async () => {
  const [one, two] = [tab(), tab()]
  one.say(wish(['links'], { a: guests() }))
  two.say(wish(['counts'], { b: guests() }))
  server.hello('s')
  await clock.pass(100)
  expect(server.opened).toEqual([undefined])
  expect(server.told).toHaveLength(1)
  expect(server.told[0]?.wanted.topics).toEqual(['counts', 'links'])
  expect(Object.values(server.told[0]?.wanted.lists ?? {})).toEqual([guests()])
})

test('a tab hears what it wished for, under the names it chose, and nothing else', async () => {
  const [one, two] = [tab(), tab()]
  one.say(wish(['links']))
  two.say(wish([], { mine: guests() }))
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
  one.say(wish(['links']))
  server.hello('s')
  await clock.pass(100)
  server.got(links)
  const two = tab()
  two.say(wish(['links']))
  await clock.pass(100)
  expect(messages(two.heard)).toEqual([links])
  expect(server.told).toHaveLength(1)
})

test('what nobody follows any more is not known any more', async () => {
  const one = tab()
  one.say(wish(['links']))
  server.hello('s')
  await clock.pass(100)
  server.got(links)
  one.say(wish([]))
  await clock.pass(100)
  const two = tab()
  two.say(wish(['links']))
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
    await clock.pass(100)
    expect(one.heard.at(-1)).toMatchObject({ type: 'status', status: { state: 'live' } })
  })

  test('keeps its beginning while tries fail, and waits longer each time', async () => {
    const one = tab()
    server.hello('s')
    await clock.pass(100)
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
  one.say(wish(['links']))
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
  old.say(wish([], { much: guests(0, 600) }))
  server.hello('s')
  await clock.pass(100)
  const fresh = tab()
  fresh.say(wish([], { more: guests(600, 600) }))
  await clock.pass(100)
  expect(old.heard.at(-1)).toEqual({ type: 'unfollowed', lists: ['much'] })
  expect(Object.values(server.told.at(-1)?.wanted.lists ?? {})).toEqual([guests(600, 600)])
})

test('a tab that is silent for long has gone, and its lists with it', async () => {
  const [gone, here] = [tab(), tab()]
  gone.say(wish(['tasks']))
  here.say(wish(['links']))
  server.hello('s')
  for (let round = 0; round < 10; round += 1) {
    await clock.pass(20_000)
    server.got({ type: 'heartbeat', at: '', revision: 1 })
    here.say({ type: 'here' })
  }
  await clock.pass(100)
  expect(server.told.at(-1)?.wanted.topics).toEqual(['links'])
})

describe('a tab', () => {
  test('that was taken for gone is told anew what there is, and says anew what it wants', async () => {
    const [frozen, other] = [tab(), tab()]
    frozen.say(wish(['links']))
    other.say(wish(['links']))
    server.hello('s')
    await clock.pass(100)
    for (let round = 0; round < 10; round += 1) {
      await clock.pass(20_000)
      server.got({ type: 'heartbeat', at: '', revision: 1 })
      other.say({ type: 'here' })
    }
    server.got(links)
    expect(messages(frozen.heard)).toEqual([])
    const before = frozen.heard.length
    frozen.say({ type: 'here' })
    expect(frozen.heard.slice(before)).toMatchObject([{ type: 'anew' }, { type: 'status', status: { state: 'live' } }])
    frozen.say(wish(['links']))
    expect(messages(frozen.heard)).toEqual([links])
  })

  test('that comes back to the page it left is told all again', async () => {
    const [left, other] = [tab(), tab()]
    for (const one of [left, other]) one.say(wish(['links']))
    server.hello('s')
    await clock.pass(100)
    left.say({ type: 'leave' })
    server.got(links)
    left.say({ type: 'come', who: 'ada' })
    left.say(wish(['links']))
    expect(left.heard.at(-3)).toEqual({ type: 'anew' })
    expect(messages(left.heard)).toEqual([links])
  })

  test('that is the last to go takes the connection with it, and all that was told', async () => {
    const [one, two] = [tab(), tab()]
    one.say(wish(['links']))
    server.hello('s')
    await clock.pass(100)
    server.got(links, 's.4')
    one.say({ type: 'leave' })
    expect(server.connections).toBe(1)
    two.say({ type: 'leave' })
    expect(server.connections).toBe(0)
    await clock.pass(120_000)
    expect(server.opened).toHaveLength(1)

    one.say({ type: 'come', who: 'ada' })
    one.say(wish(['links']))
    expect(server.opened).toEqual([undefined, undefined])
    expect(messages(one.heard)).toEqual([links])
    expect(one.heard.at(-1)).toMatchObject({ type: 'status', status: { state: 'connecting', since: clock.now() } })
  })

  test('that goes while the connection is cut leaves nobody trying', async () => {
    const one = tab()
    server.hello('s')
    server.standing = { silent: 'Muster does not answer' }
    server.lost()
    one.say({ type: 'leave' })
    await clock.pass(120_000)
    expect(server.opened).toHaveLength(1)
    expect(server.connections).toBe(0)
  })

  test('whose person signed out leaves no connection to the next session', async () => {
    const one = tab()
    server.hello('s')
    await clock.pass(100)
    one.say({ type: 'leave' })
    server.got({ type: 'bye', why: 'signed_out' })
    server.lost()
    await clock.pass(60_000)
    expect(server.opened).toHaveLength(1)
  })
})

test('that an earlier session has ended says nothing of the next', async () => {
  const one = tab()
  server.hello('s')
  let answer: (standing: 'ended') => void = () => undefined
  server.session = () => new Promise((resolve) => (answer = resolve))
  server.lost()
  one.say({ type: 'leave' })
  const next = tab()
  answer('ended')
  await clock.pass(100)
  expect(next.heard).not.toContainEqual({ type: 'ended' })
  expect(server.connections).toBe(1)
})

describe('tabs of two people', () => {
  test('are not told of each other; the one whose session stands stays', async () => {
    const old = tab('ada')
    old.say(wish(['links']))
    server.hello('s')
    await clock.pass(100)
    server.got(links)
    server.standing = { who: 'bob' }
    const fresh = tab('bob')
    fresh.say(wish(['links']))
    await clock.pass(10)
    expect(old.heard.at(-1)).toEqual({ type: 'ended' })
    expect(messages(fresh.heard)).toEqual([])
    expect(fresh.heard[0]).toEqual({ type: 'anew' })
    expect(server.opened).toEqual([undefined, undefined])
    // Of whoever was there before nothing is heard, as long as it does not come again.
    old.say({ type: 'here' })
    expect(old.heard.at(-1)).toEqual({ type: 'ended' })
    expect(server.opened).toHaveLength(2)
  })

  test('are not mixed up when the older comes back late', async () => {
    const now = tab('bob')
    server.standing = { who: 'bob' }
    server.hello('s')
    await clock.pass(100)
    const late = tab('ada')
    await clock.pass(10)
    expect(late.heard).toEqual([{ type: 'ended' }])
    expect(now.heard).not.toContainEqual({ type: 'ended' })
    expect(server.opened).toHaveLength(1)
  })

  test('wait for each other while nobody can say whose session stands', async () => {
    const old = tab('ada')
    server.hello('s')
    server.standing = { silent: 'Muster does not answer' }
    const fresh = tab('bob')
    await clock.pass(3000)
    expect([old, fresh].flatMap((one) => one.heard)).not.toContainEqual({ type: 'ended' })
    server.standing = { who: 'bob' }
    await clock.pass(3000)
    expect(old.heard.at(-1)).toEqual({ type: 'ended' })
    expect(fresh.heard[0]).toEqual({ type: 'anew' })
  })

  test('who find the session of another at a break have ended', async () => {
    const one = tab('ada')
    server.hello('s')
    server.standing = { who: 'bob' }
    server.lost()
    await clock.pass(60_000)
    expect(one.heard.at(-1)).toEqual({ type: 'ended' })
    expect(server.opened).toHaveLength(1)
  })
})

describe('live means', () => {
  test('that the server took what is wanted, not that something is connected', async () => {
    const one = tab()
    server.answer = { is: 'failed', why: 'Muster answers 503' }
    one.say(wish(['links']))
    server.hello('s')
    for (let round = 0; round < 10; round += 1) {
      await clock.pass(10_000)
      server.got({ type: 'heartbeat', at: '', revision: 1 })
    }
    expect(one.heard).not.toContainEqual(expect.objectContaining({ status: expect.objectContaining({ state: 'live' }) as unknown }))
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'cut', why: 'Muster answers 503' } })
    expect(server.opened).toHaveLength(1)
    server.answer = { is: 'done' }
    await clock.pass(20_000)
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'live' } })
  })

  test('no more when it takes nothing new for a while; a short fault says nothing', async () => {
    const one = tab()
    server.hello('s')
    await clock.pass(100)
    server.answer = { is: 'failed', why: 'Muster answers 503' }
    one.say(wish(['links']))
    await clock.pass(1500)
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'live' } })
    await clock.pass(5000)
    expect(one.heard.at(-1)).toMatchObject({ status: { state: 'cut' } })
  })

  test('that a server which never knows the stream is not asked more and more', async () => {
    tab()
    server.answer = { is: 'unknown' }
    for (let round = 0; round < 60; round += 1) {
      server.hello('s')
      await clock.pass(1000)
    }
    expect(server.opened.length).toBeLessThan(15)
  })
})

test('a list that the server refuses takes nothing from the others', async () => {
  const [one, two] = [tab(), tab()]
  const bad = { ...guests(), q: 'colour:red' }
  const hasBad = (wanted: Subscriptions) => Object.values(wanted.lists ?? {}).some((list) => list.q === bad.q)
  server.answer = (wanted) => (hasBad(wanted) ? { is: 'refused' } : { is: 'done' })
  one.say(wish(['links'], { fine: guests(), bad }))
  two.say(wish(['counts'], { other: guests(100), same: bad }))
  server.hello('s')
  await clock.pass(1000)
  expect(server.told.at(-1)?.wanted.topics).toEqual(['counts', 'links'])
  expect(Object.values(server.told.at(-1)?.wanted.lists ?? {})).toEqual(expect.arrayContaining([guests(), guests(100)]))
  expect(hasBad(server.told.at(-1)?.wanted ?? {})).toBe(false)
  expect(one.heard).toContainEqual({ type: 'unfollowed', lists: ['bad'] })
  expect(two.heard).toContainEqual({ type: 'unfollowed', lists: ['same'] })
  expect(one.heard.findLast((message) => message.type === 'status')).toMatchObject({ status: { state: 'live' } })
  // Asked once, and not again and again.
  const before = server.told.length
  await clock.pass(30_000)
  expect(server.told).toHaveLength(before)
})

test('it is known after which event all are told, also by who comes later', async () => {
  const one = tab()
  server.answer = { is: 'done', after: 40 }
  one.say(wish(['events']))
  server.hello('s')
  await clock.pass(100)
  const two = tab()
  two.say(wish(['events']))
  for (const { heard } of [one, two]) expect(messages(heard)).toEqual([{ type: 'events', items: [], up_to: 40 }])
})

test('a new stream begins with nothing of the one before', async () => {
  const one = tab()
  one.say(wish(['links']))
  server.hello('s')
  await clock.pass(100)
  server.got(links, 's.4')
  server.got({ type: 'bye', why: 'taken_up' })
  await clock.pass(1000)
  expect(server.opened).toEqual([undefined, undefined])
  // Until it is there, what was known stays.
  expect(messages(one.heard).map((message) => message.type)).toEqual(['links'])
  server.hello('t')
  expect(messages(one.heard).map((message) => message.type)).toEqual(['links', 'reset'])
})

test('a wish that could not be told is told again', async () => {
  const one = tab()
  server.answer = { is: 'failed', why: '' }
  one.say(wish(['links']))
  server.hello('s')
  await clock.pass(100)
  server.answer = { is: 'done' }
  await clock.pass(2000)
  expect(server.told.length).toBeGreaterThan(1)
})
