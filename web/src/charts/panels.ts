/** Which charts there are of what was measured, and what each says in words. Pure. */
import type { Schemas } from '~/api/types'
import { bytes, DASH, percent } from '~/format/format'

export type Chart = Schemas['Chart']
export type Span = Schemas['ChartSpan']
export type SeriesName = keyof Schemas['Series']
export type Values = readonly (number | null)[]

/** What a figure is: a share of one, percent, bytes, bytes a second, or a plain number. */
export type Unit = 'share' | 'percent' | 'bytes' | 'rate' | 'number'

export interface LineOf {
  name: SeriesName
  label: string
  /** What there is, drawn as a limit. */
  limit?: boolean
}

export interface PanelOf {
  id: string
  title: string
  unit: Unit
  lines: readonly LineOf[]
}

/** In the order in which they are shown. A chart of which nothing was measured is not there. */
const PANELS: readonly PanelOf[] = [
  {
    id: 'cpu',
    title: 'CPU',
    unit: 'share',
    lines: [
      { name: 'cpu', label: 'used' },
      { name: 'io_wait', label: 'waiting for I/O' },
    ],
  },
  { id: 'load', title: 'Load', unit: 'number', lines: [{ name: 'load', label: 'load average' }] },
  {
    id: 'memory',
    title: 'Memory',
    unit: 'bytes',
    lines: [
      { name: 'memory_used', label: 'used' },
      { name: 'memory_host', label: 'taken from the node' },
      { name: 'arc', label: 'ZFS cache' },
      { name: 'memory_total', label: 'there is', limit: true },
    ],
  },
  {
    id: 'swap',
    title: 'Swap',
    unit: 'bytes',
    lines: [
      { name: 'swap_used', label: 'used' },
      { name: 'swap_total', label: 'there is', limit: true },
    ],
  },
  {
    id: 'net',
    title: 'Network',
    unit: 'rate',
    lines: [
      { name: 'net_in', label: 'in' },
      { name: 'net_out', label: 'out' },
    ],
  },
  {
    id: 'io',
    title: 'Disk traffic',
    unit: 'rate',
    lines: [
      { name: 'disk_read', label: 'read' },
      { name: 'disk_write', label: 'written' },
    ],
  },
  {
    id: 'disk',
    title: 'Root disk',
    unit: 'bytes',
    lines: [
      { name: 'disk_used', label: 'used' },
      { name: 'disk_total', label: 'there is', limit: true },
    ],
  },
  {
    id: 'space',
    title: 'Space',
    unit: 'bytes',
    lines: [
      { name: 'used', label: 'used' },
      { name: 'total', label: 'there is', limit: true },
    ],
  },
  {
    id: 'pressure',
    title: 'Waiting (some tasks)',
    unit: 'percent',
    lines: [
      { name: 'pressure_cpu_some', label: 'for CPU' },
      { name: 'pressure_io_some', label: 'for I/O' },
      { name: 'pressure_memory_some', label: 'for memory' },
    ],
  },
]

export interface Line extends LineOf {
  values: Values
}

export interface Panel extends Omit<PanelOf, 'lines'> {
  lines: readonly Line[]
}

/** The charts of what was measured. A limit alone is no chart. */
export function panels(chart: Chart): Panel[] {
  return PANELS.flatMap((panel) => {
    const lines = panel.lines.flatMap((line) => {
      const values = chart.series[line.name]
      return values?.some((value) => value !== null) ? [{ ...line, values }] : []
    })
    return lines.some((line) => !line.limit) ? [{ ...panel, lines }] : []
  })
}

/** A figure with its unit. */
export function figure(unit: Unit, value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return DASH
  switch (unit) {
    case 'share':
      return percent(value)
    case 'percent':
      return percent(value / 100)
    case 'bytes':
      return bytes(value)
    case 'rate':
      return `${bytes(value)}/s`
    case 'number':
      return value.toFixed(value < 10 ? 2 : 1)
  }
}

export interface Summary {
  min: number
  mean: number
  max: number
  /** The newest that was measured. */
  last: number
  /** So many stretches in which nothing was measured, between measurements or after them. */
  gaps: number
}

/** What a line says in figures; `undefined` when nothing was measured. */
export function summary(values: Values): Summary | undefined {
  let min = Infinity
  let max = -Infinity
  let sum = 0
  let known = 0
  let last = 0
  let gaps = 0
  let inGap = true
  for (const value of values) {
    if (value === null) {
      if (!inGap) gaps += 1
      inGap = true
      continue
    }
    inGap = false
    min = Math.min(min, value)
    max = Math.max(max, value)
    sum += value
    known += 1
    last = value
  }
  return known === 0 ? undefined : { min, mean: sum / known, max, last, gaps }
}

/** So many of the newest places may be empty before what was measured last is no longer said to be so now. */
const LATE = 3

/** The value of now: the newest, unless it is old. */
export function current(values: Values): number | null {
  return values.slice(-LATE).findLast((value) => value !== null) ?? null
}

/** A chart in words, for who does not see it. */
export function told(panel: Panel): string {
  const lines = panel.lines.map((line) => {
    const found = summary(line.values)
    if (!found) return `${line.label}: not measured`
    const say = (value: number) => figure(panel.unit, value)
    if (line.limit) return `${line.label}: ${say(found.last)}`
    const gaps = found.gaps === 0 ? '' : `, ${found.gaps} ${found.gaps === 1 ? 'gap' : 'gaps'}`
    return `${line.label}: lowest ${say(found.min)}, mean ${say(found.mean)}, highest ${say(found.max)}, last ${say(found.last)}${gaps}`
  })
  return `${panel.title}. ${lines.join('. ')}.`
}

const SPAN_S: Record<Span, number> = { hour: 3600, day: 86_400, week: 604_800, month: 30 * 86_400, year: 365 * 86_400 }

export const SPANS: readonly { value: Span; label: string }[] = [
  { value: 'hour', label: 'Hour' },
  { value: 'day', label: 'Day' },
  { value: 'week', label: 'Week' },
  { value: 'month', label: 'Month' },
  { value: 'year', label: 'Year' },
]

export function spanOf(text: string | undefined): Span {
  return SPANS.find((span) => span.value === text)?.value ?? 'hour'
}

/** From when to when the charts reach, in seconds since 1970: the whole span, be it that less of it was measured. */
export function reach(chart: Chart): [number, number] {
  const read = chart.observed_at == null ? NaN : Date.parse(chart.observed_at) / 1000
  const last = chart.at.at(-1) ?? 0
  const end = Number.isNaN(read) ? last : Math.max(read, last)
  return [end - SPAN_S[chart.span], end]
}

/** The upper end of an axis that begins at nought. */
export function top(unit: Unit, max: number | null | undefined): number {
  if (max == null || !Number.isFinite(max) || max <= 0) return unit === 'share' ? 0.1 : unit === 'percent' ? 1 : 1024
  const room = max * 1.12
  return unit === 'share' && max <= 1 ? Math.min(1, room) : room
}
