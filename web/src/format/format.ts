/** Figures as people read them. What is not known is a dash, never a zero. */

export const DASH = '–'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Bytes with a unit: `1.5 GiB`. */
export function bytes(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return DASH
  let size = Math.abs(value)
  let unit = 0
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit += 1
  }
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2
  return `${value < 0 ? '-' : ''}${trim(size.toFixed(digits))} ${UNITS[unit]}`
}

function trim(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

/** A share of one as percent: `12 %`; `3.4 %` below ten. */
export function percent(share: number | null | undefined): string {
  if (share == null || !Number.isFinite(share)) return DASH
  const value = share * 100
  return `${value < 10 && value > 0 ? trim(value.toFixed(1)) : value.toFixed(0)} %`
}

/** A count with thin spaces between thousands. */
export function count(value: number | null | undefined): string {
  return value == null ? DASH : value.toLocaleString('en').replaceAll(',', '\u202f')
}

/** A span in its two largest units: `3 d 4 h`. */
export function span(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return DASH
  const total = Math.max(0, Math.floor(seconds))
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor((total % 86_400) / 3600), 'h'],
    [Math.floor((total % 3600) / 60), 'min'],
    [total % 60, 's'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  if (first < 0) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

/** How long ago, in its largest unit: `40 s ago`. A time that is to come: `in 5 s`. */
export function ago(at: number, now: number): string {
  const seconds = (now - at) / 1000
  if (seconds < -1) return `in ${largest(-seconds)}`
  return seconds < 2 ? 'just now' : `${largest(seconds)} ago`
}

/** A span in its largest unit: `3 min`. */
export function largest(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' })
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** An instant in full, in the reader's zone. */
export function exact(at: number): string {
  return EXACT.format(at)
}

/** The time of day. */
export function clock(at: number): string {
  return CLOCK.format(at)
}

/** A word of the API as people say it: `backing_off` → `backing off`. */
export function words(code: string): string {
  return code.replaceAll('_', ' ')
}

/** A text as a sentence begins. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** A clause as a sentence of its own. */
export function sentence(clause: string): string {
  return /[.?!]$/.test(clause) ? capital(clause) : `${capital(clause)}.`
}

/** One thing, or several: `1 guest`, `2 guests`. */
export function many(number: number, one: string, several = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : several}`
}
