/** Sort texts: `-cpu,name`. Pure. */
import type { Column } from './types'

export interface SortKey {
  key: string
  descending: boolean
}

export function readSort(text: string): SortKey[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== '-')
    .map((part) => (part.startsWith('-') ? { key: part.slice(1), descending: true } : { key: part, descending: false }))
}

export function writeSort(keys: readonly SortKey[]): string {
  return keys.map(({ key, descending }) => (descending ? `-${key}` : key)).join(',')
}

/** After the heading of a column was pressed: its way first, then the other way, then the usual order. `beside`: keeps the other keys. */
export function pressed<R>(text: string, column: Column<R>, beside: boolean): string {
  const key = column.sort
  if (key === undefined) return text
  const keys = readSort(text)
  const had = keys.find((one) => one.key === key)
  const usual = column.descending === true
  const next: SortKey | undefined =
    had === undefined ? { key, descending: usual } : had.descending === usual ? { key, descending: !usual } : undefined
  if (!beside) return next === undefined ? '' : writeSort([next])
  const others = keys.filter((one) => one.key !== key)
  if (next === undefined) return writeSort(others)
  return had === undefined ? writeSort([...others, next]) : writeSort(keys.map((one) => (one.key === key ? next : one)))
}

/** Says whether and how a column is sorted by, as `aria-sort` has it. */
export function direction<R>(text: string, column: Column<R>): 'ascending' | 'descending' | 'none' | undefined {
  if (column.sort === undefined) return undefined
  const had = readSort(text).find((one) => one.key === column.sort)
  return had === undefined ? 'none' : had.descending ? 'descending' : 'ascending'
}

const people = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/** Compares as people do: `web-2` before `web-10`. */
export function compare(a: string | number | undefined, b: string | number | undefined, descending: boolean): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : people.compare(String(a), String(b))
  return descending ? -order : order
}

/** Rows at hand in the order of a sort text; what is equal stays as it was. */
export function sorted<R>(rows: readonly R[], columns: readonly Column<R>[], text: string): readonly R[] {
  const keys = readSort(text).flatMap(({ key, descending }) => {
    const value = columns.find((column) => column.sort === key)?.value
    return value ? [{ value, descending }] : []
  })
  if (keys.length === 0) return rows
  return [...rows].sort((a, b) => {
    for (const { value, descending } of keys) {
      const order = compare(value(a), value(b), descending)
      if (order !== 0) return order
    }
    return 0
  })
}
