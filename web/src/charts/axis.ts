/** What stands at the axes: short. */
import { percent } from '~/format/format'
import { figure, type Span, type Unit } from './panels'

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric' })
const DATE = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const MONTH = new Intl.DateTimeFormat(undefined, { month: 'short', year: '2-digit' })
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** A time at the axis, in seconds since 1970. */
export function axisTime(span: Span, at: number): string {
  const ms = at * 1000
  if (span === 'hour' || span === 'day') return CLOCK.format(ms)
  if (span === 'week') return DAY.format(ms)
  return span === 'month' ? DATE.format(ms) : MONTH.format(ms)
}

/** The time at the cursor, in full. */
export function fullTime(at: number): string {
  return FULL.format(at * 1000)
}

/** A figure at the axis. */
export function axisFigure(unit: Unit, value: number): string {
  if (value === 0) return '0'
  if (unit === 'number') return value.toLocaleString('en', { maximumFractionDigits: 2 })
  if (unit === 'percent') return percent(value / 100)
  return figure(unit, value)
}
