/**
 * The console's figures (docs/performance.md), from a real browser against the real server and a simulated fleet.
 * `MUSTER_BENCH_GUESTS` makes the large fleet smaller; `MUSTER_BENCH_TRACE` names a file for the trace of scrolling. Nothing here fails for being slow: it prints.
 */
import { writeFile } from 'node:fs/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { launch, WIDE } from '../e2e/support/browser'
import { ADMIN, Muster } from '../e2e/support/muster'
import { Sim } from '../e2e/support/sim'
import { frames, quantile, type TraceEvent } from './trace'

const GUESTS = Number(process.env.MUSTER_BENCH_GUESTS ?? 100_000)
const PER_REMOTE = 1000
const RUNS = 5
/** A host is listed every ten seconds. */
const LISTINGS_AN_HOUR = 360
/** How many of the rows on screen change between two listings. */
const ON_SCREEN = 16
const MINUTE_MS = 60_000

const table: [what: string, figure: string][] = []

function say(what: string, figure: string): void {
  table.push([what, figure])
}

let browser: Browser

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
  const wide = Math.max(...table.map(([what]) => what.length))
  process.stdout.write(`\n${table.map(([what, figure]) => `${what.padEnd(wide)}  ${figure}`).join('\n')}\n`)
  if (process.env.MUSTER_BENCH_OUT) await writeFile(process.env.MUSTER_BENCH_OUT, JSON.stringify(table, null, 2))
})

function topology(guests: number): string {
  const remotes = Math.max(1, Math.round(guests / PER_REMOTE))
  const each = Math.round(guests / remotes)
  return Array.from(
    { length: remotes },
    (_, index) => `
[[remotes]]
name = "r${index}"
version = "9.2"
nodes = [{ name = "n${index}" }]
fill = { count = ${each} }
users = [{ userid = "root@pam", password = "secret", tokens = [{ name = "m", secret = "00000000-0000-4000-8000-000000000001", privsep = false }] }]
`,
  ).join('')
}

/** A server that knows all of a fleet. */
async function fleet(guests: number): Promise<{ sim: Sim; muster: Muster }> {
  const sim = await Sim.start(topology(guests))
  const muster = await (await Muster.start('--pace', 'real', '--log-level', 'warn')).setUp()
  for (const remote of sim.printed.remotes) {
    await muster.add(remote.name, sim.address(remote.name), { token: 'root@pam!m=00000000-0000-4000-8000-000000000001' })
  }
  return { sim, muster }
}

/** A fresh profile, signed in without the page: nothing of the console is in its cache. */
async function cold(muster: Muster): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext({ viewport: WIDE })
  const answer = await context.request.post(`${muster.url}/api/v1/session`, { data: ADMIN, headers: { origin: muster.url } })
  if (!answer.ok()) throw new Error(`sign-in: ${answer.status()}`)
  return { context, page: await context.newPage() }
}

const ROW = '[role=row][aria-rowindex] [role=gridcell] a'

/** Remembers when something that fits a selector is first there, by the page's own clock. */
async function firstOf(page: Page, selector: string): Promise<void> {
  await page.addInitScript((wanted) => {
    const holder = window as unknown as { first?: number }
    const look = () => {
      if (holder.first === undefined && document.querySelector(wanted)) requestAnimationFrame(() => (holder.first = performance.now()))
    }
    new MutationObserver(look).observe(document, { childList: true, subtree: true })
  }, selector)
}

const median = (values: readonly number[]) => quantile(values, 0.5)

test('60 guests', async () => {
  const { sim, muster } = await fleet(60)
  const paints: number[] = []
  for (let run = 0; run < RUNS; run += 1) {
    const { context, page } = await cold(muster)
    await page.goto(muster.url)
    await page.getByRole('heading', { level: 1 }).waitFor()
    // It is told some time after it was.
    const told = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime)
    paints.push((await told.jsonValue()) ?? Number.NaN)
    await context.close()
  }
  say('60 guests: first contentful paint, median of 5', `${median(paints).toFixed(0)} ms`)
  await muster.stop()
  await sim.stop()
}, 300_000)

describe(`${GUESTS} guests`, () => {
  const named = `${GUESTS.toLocaleString('en')} guests`
  let sim: Sim
  let muster: Muster

  beforeAll(async () => {
    ;({ sim, muster } = await fleet(GUESTS))
  }, 1_200_000)

  afterAll(async () => {
    await muster?.stop()
    await sim?.stop()
  })

  test('cold load to first row', async () => {
    const firsts: number[] = []
    for (let run = 0; run < RUNS; run += 1) {
      const { context, page } = await cold(muster)
      await firstOf(page, ROW)
      await page.goto(`${muster.url}/guests`)
      await page.waitForFunction(() => (window as unknown as { first?: number }).first !== undefined, undefined, { timeout: 60_000 })
      firsts.push(await page.evaluate(() => (window as unknown as { first: number }).first))
      await context.close()
    }
    say(`${named}: cold load to first row, median of 5`, `${median(firsts).toFixed(0)} ms`)
  }, 300_000)

  test('keystroke to filtered list', async () => {
    const { context, page } = await cold(muster)
    await page.goto(`${muster.url}/guests`)
    await page.locator(ROW).first().waitFor()
    const box = page.getByRole('combobox').first()
    const waits: number[] = []
    for (const text of ['web1', 'db2', 'mail3', 'cache4', 'git5']) {
      await box.fill('')
      await page.waitForFunction((all) => Number(document.querySelector('[role=grid]')?.getAttribute('aria-rowcount') ?? 0) > all * 0.9, GUESTS)
      await page.waitForTimeout(500)
      await box.pressSequentially(text.slice(0, -1))
      await page.waitForTimeout(1500)
      await page.evaluate(() => {
        const holder = window as unknown as { filtered?: number | undefined }
        holder.filtered = undefined
        const grid = document.querySelector('[role=grid]')
        if (!grid) return
        addEventListener(
          'keydown',
          (event) => {
            const began = event.timeStamp
            const seen = new MutationObserver(() => {
              seen.disconnect()
              requestAnimationFrame(() => (holder.filtered = performance.now() - began))
            })
            seen.observe(grid, { attributes: true, attributeFilter: ['aria-rowcount'] })
          },
          { once: true, capture: true },
        )
      })
      await box.press(text.slice(-1))
      const waited = await page
        .waitForFunction(() => (window as unknown as { filtered?: number }).filtered, undefined, { timeout: 5000 })
        .then((handle) => handle.jsonValue())
        .catch(() => undefined)
      // The last letter may change nothing: then there is nothing to measure.
      if (waited !== undefined) waits.push(waited)
    }
    say(`${named}: last keystroke to filtered list, median of ${waits.length}`, `${median(waits).toFixed(0)} ms`)
    await context.close()
  }, 300_000)

  test('scrolling', async () => {
    const clocks = [
      { by: 'dur', named: '' },
      { by: 'tdur', named: ' (processor time)' },
    ] as const
    const found = clocks.map((clock) => ({ ...clock, work: [] as number[], longest: [] as number[] }))
    for (let run = 0; run < RUNS; run += 1) {
      const events = await scrolled(muster)
      if (process.env.MUSTER_BENCH_TRACE) await writeFile(process.env.MUSTER_BENCH_TRACE, JSON.stringify({ traceEvents: events }))
      for (const { by, work, longest } of found) {
        const read = frames(events, by)
        work.push(...read.work)
        longest.push(read.longest)
      }
    }
    for (const { named: clock, work, longest } of found) {
      say(`${named}: script, style and layout per scrolled frame${clock}, 95th percentile of ${work.length}`, `${quantile(work, 0.95).toFixed(1)} ms`)
      say(`${named}: longest task while scrolling${clock}, in each of ${RUNS} runs`, longest.map((ms) => `${ms.toFixed(0)} ms`).join(', '))
    }
  }, 300_000)

  test('the live stream', async () => {
    const seen = await some(muster, 100)
    say(`${named} at rest: live stream of a list of 100, a minute`, await streamed(muster))
    let busy = true
    const stir = (async () => {
      for (let round = 0; busy; round += 1) {
        await startAndStop(sim, seen.slice(0, 50), round)
        await new Promise((resolve) => setTimeout(resolve, 2000))
      }
    })()
    say(`${named}, 50 of the 100 started and stopped all the time: the same`, await streamed(muster))
    busy = false
    await stir
  }, 300_000)

  // What a list is told in an hour of listings every ten seconds, as fast as the server can find it out.
  test('an hour of live updates', async () => {
    const { context, page } = await cold(muster)
    await page.goto(`${muster.url}/guests`)
    await page.locator(ROW).first().waitFor()
    const client = await context.newCDPSession(page)
    const heap = async () => {
      await client.send('HeapProfiler.collectGarbage')
      const { usedSize } = await client.send('Runtime.getHeapUsage')
      return usedSize / 1024 / 1024
    }
    await page.waitForTimeout(3000)
    const seen = await some(muster, ON_SCREEN)
    const heaps = [await heap()]
    const began = Date.now()
    for (let round = 1; round <= LISTINGS_AN_HOUR; round += 1) {
      await startAndStop(sim, seen, round)
      // Looking at a guest's page finds out at once.
      await Promise.all(seen.map(({ remote, vmid }) => muster.call('GET', `/guests/${remote}/${vmid}`)))
      if (round % (LISTINGS_AN_HOUR / 4) === 0) heaps.push(await heap())
    }
    const took = (Date.now() - began) / 1000
    say(
      `${named}: heap of the page at first, and after each quarter of an hour of updates (${LISTINGS_AN_HOUR * seen.length} changes in ${took.toFixed(0)} s)`,
      `${heaps.map((mib) => mib.toFixed(1)).join(' → ')} MiB`,
    )
    await context.close()
  }, 1_200_000)
})

/** What a browser notes while a list is scrolled by its wheel for some seconds, with a leap now and then. */
async function scrolled(muster: Muster): Promise<TraceEvent[]> {
  const { context, page } = await cold(muster)
  await page.goto(`${muster.url}/guests`)
  await page.locator(ROW).first().waitFor()
  await page.waitForTimeout(1000)
  const at = await page.getByRole('grid').boundingBox()
  if (!at) throw new Error('there is no list')
  await page.mouse.move(at.x + at.width / 2, at.y + at.height / 2)
  const client = await context.newCDPSession(page)
  const events: unknown[] = []
  client.on('Tracing.dataCollected', ({ value }) => events.push(...value))
  await client.send('Tracing.start', { transferMode: 'ReportEvents', categories: 'toplevel,devtools.timeline,disabled-by-default-devtools.timeline,v8,blink' })
  for (let step = 0; step < 300; step += 1) {
    await page.mouse.wheel(0, step % 50 === 49 ? 20_000 : 240)
    await page.waitForTimeout(16)
  }
  const done = new Promise((resolve) => client.once('Tracing.tracingComplete', resolve))
  await client.send('Tracing.end')
  await done
  await context.close()
  return events as TraceEvent[]
}

interface Place {
  remote: string
  vmid: number
}

/** Guests of the list's first page. */
async function some(muster: Muster, most: number): Promise<Place[]> {
  const { items } = await muster.call<{ items: Place[] }>('GET', `/guests?limit=${most}`)
  return items
}

/** Every other one runs, in the next round the others. */
async function startAndStop(sim: Sim, guests: readonly Place[], round: number): Promise<void> {
  for (const [index, { remote, vmid }] of guests.entries()) {
    await sim.edit(remote, { do: 'set-guest', vmid, running: (round + index) % 2 === 0 })
  }
}

/** Bytes of a minute of the live stream as the list of guests follows it. */
async function streamed(muster: Muster): Promise<string> {
  const subscribe = JSON.stringify({ topics: ['links', 'counts', 'operations', 'tasks'], lists: { main: { of: 'guests', q: '', sort: '', offset: 0, limit: 100 } } })
  const stop = new AbortController()
  const answer = await muster.raw(`/stream?subscribe=${encodeURIComponent(subscribe)}`, stop.signal)
  let bytes = 0
  let counting = false
  const reader = answer.body?.getReader()
  const read = (async () => {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) return
      if (counting) bytes += value.byteLength
    }
  })().catch(() => undefined)
  // What there is is told first; that is not what is measured.
  await new Promise((resolve) => setTimeout(resolve, 5000))
  counting = true
  await new Promise((resolve) => setTimeout(resolve, MINUTE_MS))
  stop.abort()
  await read
  return `${(bytes / 1024).toFixed(0)} KiB`
}
