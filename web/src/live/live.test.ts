import { act, renderHook } from '@testing-library/react'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Session } from '~/api/types'
import { useLink, useStreamLive } from './hooks'
import { live as ours, Live } from './live'

/** Streams as the browser holds them. */
class Source extends EventTarget {
  static open: Source[] = []
  static made = 0
  onerror: (() => void) | null = null
  constructor(readonly url: string) {
    super()
    Source.open.push(this)
    Source.made += 1
  }
  close() {
    Source.open = Source.open.filter((one) => one !== this)
  }
  say(type: string, more: object = {}) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify({ type, ...more }) }))
  }
}

/** A shared worker of which the test says what it does. */
class Worker {
  static made: Worker[] = []
  onerror: (() => void) | null = null
  heard: { type: string }[] = []
  port = {
    onmessage: null as ((message: { data: unknown }) => void) | null,
    start: () => undefined,
    close: () => undefined,
    postMessage: (message: { type: string }) => void this.heard.push(message),
  }
  constructor() {
    Worker.made.push(this)
  }
}

const session: Partial<Session> = { user: 'ada', instance: '0f', csrf: 'c' }

function look(visible: boolean): void {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(visible ? 'visible' : 'hidden')
  document.dispatchEvent(new Event('visibilitychange'))
}

let stops: (() => void)[] = []
let ended = 0

function tab(): Live {
  const live = new Live()
  stops.push(live.start('ada 0f', () => void (ended += 1)))
  return live
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', Source)
  vi.stubGlobal('fetch', (url: string) =>
    Promise.resolve(new Response(JSON.stringify(url.endsWith('/session') ? session : { topics: [], lists: {} }))),
  )
  Source.open = []
  Source.made = 0
  Worker.made = []
  ended = 0
  look(true)
})

afterEach(() => {
  stops.forEach((stop) => stop())
  stops = []
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The server answers on all streams that are open. */
async function answer(): Promise<void> {
  for (const source of Source.open) source.say('hello', { stream: 's', resumed: false, heartbeat_seconds: 15, at: '' })
  await vi.advanceTimersByTimeAsync(100)
}

describe('where there are no shared workers', () => {
  test('a tab has a stream while it is looked at, and none while it is hidden', async () => {
    const live = tab()
    expect(Source.open).toHaveLength(1)
    await answer()
    expect(live.status.state).toBe('live')
    look(false)
    expect(Source.open).toHaveLength(0)
    // What was told is from before now.
    expect(live.status.state).toBe('connecting')
    await vi.advanceTimersByTimeAsync(600_000)
    expect(Source.made).toBe(1)
    look(true)
    expect(Source.open).toHaveLength(1)
    await answer()
    expect(live.status.state).toBe('live')
  })

  test('a tab that is opened behind another one has none', () => {
    look(false)
    tab()
    expect(Source.made).toBe(0)
    look(true)
    expect(Source.open).toHaveLength(1)
  })

  test('signing out leaves none behind, and the next session has one', async () => {
    tab()
    await answer()
    stops.splice(0).forEach((stop) => stop())
    expect(Source.open).toHaveLength(0)
    tab()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(Source.open).toHaveLength(1)
  })

  test('a tab that comes back asks again for all it wanted, and shows nothing of before as now', async () => {
    const live = tab()
    live.topic('links')
    await answer()
    Source.open[0]?.say('links', { upserted: [{ id: 7 }], removed: [] })
    expect(live.state.links?.size).toBe(1)
    look(false)
    look(true)
    await answer()
    expect(live.state.links).toBeUndefined()
    Source.open[0]?.say('links', { upserted: [{ id: 8 }], removed: [] })
    expect([...(live.state.links?.keys() ?? [])]).toEqual([8])
  })

  test('a page that the browser keeps for the way back has none', () => {
    tab()
    dispatchEvent(new Event('pagehide'))
    expect(Source.open).toHaveLength(0)
    dispatchEvent(new Event('pageshow'))
    expect(Source.open).toHaveLength(1)
  })
})

describe('where there are', () => {
  beforeEach(() => vi.stubGlobal('SharedWorker', Worker))
  const said = (live: number) => Worker.made[live]?.heard.map((message) => message.type)
  const told = (data: unknown) => Worker.made[0]?.port.onmessage?.({ data })

  test('no tab has a stream of its own, hidden or not; it goes when it ends', async () => {
    tab()
    await vi.advanceTimersByTimeAsync(0)
    told({ type: 'anew' })
    look(false)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(said(0)).not.toContain('leave')
    expect(Source.made).toBe(0)
    stops.splice(0).forEach((stop) => stop())
    expect(said(0)?.at(-1)).toBe('leave')
  })

  test('whom the hub had forgotten says again what it wants', async () => {
    const live = tab()
    live.topic('links')
    await vi.advanceTimersByTimeAsync(0)
    expect(said(0)).toEqual(['come', 'wish'])
    told({ type: 'message', message: { type: 'links', upserted: [{ id: 7 }], removed: [] } })
    told({ type: 'anew' })
    expect(live.state.links).toBeUndefined()
    await vi.advanceTimersByTimeAsync(0)
    expect(said(0)).toEqual(['come', 'wish', 'wish'])
  })

  test('one whose script is gone, or that never says a word, is done without', async () => {
    const live = tab()
    Worker.made[0]?.onerror?.()
    expect(Source.open).toHaveLength(1)
    await answer()
    expect(live.status.state).toBe('live')
    const silent = tab()
    await vi.advanceTimersByTimeAsync(9000)
    expect(Source.open).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(Source.open).toHaveLength(2)
    expect(silent.status.state).toBe('connecting')
  })

  test('one that works is not given up when something in it fails later', async () => {
    tab()
    told({ type: 'anew' })
    Worker.made[0]?.onerror?.()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(Source.made).toBe(0)
  })

  test('where pages may share nothing, a tab has its own', () => {
    vi.stubGlobal('SharedWorker', function refuse() {
      throw new DOMException('denied', 'SecurityError')
    })
    tab()
    expect(Source.open).toHaveLength(1)
  })
})

test('a link is what the stream tells only while it proves itself live', async () => {
  stops.push(ours.start('ada 0f', () => undefined))
  const link = renderHook(() => useLink(7)?.link.state)
  const proven = renderHook(() => useStreamLive())
  const shown = () => [link.result.current, proven.result.current]
  const up = { upserted: [{ id: 7, link: { state: 'connected' } }], removed: [] }
  await act(answer)
  act(() => Source.open[0]?.say('links', up))
  expect(shown()).toEqual(['connected', true])
  act(() => Source.open[0]?.onerror?.())
  expect(shown()).toEqual([undefined, false])
  // Connected again, and not told yet what it shall tell.
  await act(() => vi.advanceTimersByTimeAsync(1000))
  act(() => Source.open[0]?.say('hello', { stream: 's', resumed: true, heartbeat_seconds: 15, at: '' }))
  expect(shown()).toEqual([undefined, false])
  await act(() => vi.advanceTimersByTimeAsync(100))
  expect(proven.result.current).toBe(true)
  act(() => Source.open[0]?.say('links', up))
  expect(shown()).toEqual(['connected', true])
})

test('the end of the session is heard', async () => {
  tab()
  await answer()
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{}', { status: 401 })))
  Source.open[0]?.say('bye', { why: 'signed_out' })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(ended).toBe(1)
  expect(Source.open).toHaveLength(0)
})
