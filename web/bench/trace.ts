/** Reading a browser's trace: what the page's own thread did in each frame, and for how long at a time. */

export interface TraceEvent {
  name: string
  ph: string
  ts: number
  dur?: number
  /** What of it the thread was given a processor for. */
  tdur?: number
  pid: number
  tid: number
  cat: string
  args?: { name?: string; data?: { frame?: string } }
}

export interface Frames {
  /** Milliseconds of script, style and layout in each frame that did any. */
  work: number[]
  /** Milliseconds of the longest task. */
  longest: number
}

/** By the clock on the wall; or by the processor's, which stands still while others are at work on it. */
type Measure = 'dur' | 'tdur'

/** What is counted as work of the page: its script, and style and layout on its behalf. */
const WORK = new Set([
  'FunctionCall',
  'EvaluateScript',
  'TimerFire',
  'FireAnimationFrame',
  'EventDispatch',
  'RunMicrotasks',
  'UpdateLayoutTree',
  'Layout',
  'MajorGC',
  'MinorGC',
])

/** The renderer's main thread in a trace of one page. */
export function frames(events: TraceEvent[], by: Measure): Frames {
  const main = events.find((event) => event.name === 'thread_name' && event.args?.name === 'CrRendererMain' && rendered(events, event.pid))
  if (!main) throw new Error('the trace knows no page')
  const own = events
    .filter((event) => event.pid === main.pid && event.tid === main.tid && event.ph === 'X' && event.dur !== undefined)
    .sort((a, b) => a.ts - b.ts)
  const tasks = own.filter((event) => event.name === 'RunTask' || event.name === 'ThreadControllerImpl::RunTask')
  // A frame ends when the page is handed to the compositor; browsers that do not tell that begin one with its callbacks.
  const when = (name: string) => own.filter((event) => event.name === name).map((event) => event.ts)
  const boundaries = [when('Commit'), when('PrePaint'), when('FireAnimationFrame')].find((found) => found.length > 0) ?? []
  const work: number[] = []
  let at = 0
  let inside = 0
  let spent = 0
  for (const event of own) {
    while (at < boundaries.length && event.ts > (boundaries[at] ?? 0)) {
      if (spent > 0) work.push(spent / 1000)
      spent = 0
      at += 1
    }
    // What lies within another counts once.
    if (!WORK.has(event.name) || event.ts < inside) continue
    spent += event[by] ?? 0
    inside = event.ts + (event.dur ?? 0)
  }
  if (spent > 0) work.push(spent / 1000)
  return { work, longest: Math.max(0, ...tasks.map((task) => (task[by] ?? 0) / 1000)) }
}

function rendered(events: TraceEvent[], pid: number): boolean {
  return events.some((event) => event.pid === pid && (event.name === 'UpdateLayoutTree' || event.name === 'FireAnimationFrame'))
}

/** The value below which so large a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
