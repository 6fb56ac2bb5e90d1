/** Which columns are shown, in which order: chosen by the person, remembered by the server. */
import { type ColumnDef, getCoreRowModel, useReactTable } from '@tanstack/react-table'
import { useMemo } from 'react'
import { usePreference } from '~/preferences/preferences'
import type { Column, Identified } from './types'

export interface Choice<R> {
  /** Those that are shown, in their order. */
  shown: readonly Column<R>[]
  /** All, shown ones first. */
  all: readonly Column<R>[]
  /** Takes over another choice; `null` goes back to the usual one. */
  choose: (ids: readonly string[] | null) => void
  /** Whether it is the usual one. */
  usual: boolean
}

/** What is shown of the columns there are, by the names that are remembered. Names that are not known are passed over. */
export function chosen<R>(columns: readonly Column<R>[], remembered: readonly string[] | undefined): Column<R>[] {
  if (remembered === undefined) return columns.filter((column) => !column.hidden)
  const shown = [...new Set(remembered)].flatMap((id) => columns.find((column) => column.id === id) ?? [])
  // What is always shown stands first where it was not remembered.
  return [...columns.filter((column) => column.always && !shown.includes(column)), ...shown]
}

const NO_ROWS: never[] = []

export function useColumns<R extends Identified>(name: string, columns: readonly Column<R>[]): Choice<R> {
  const [remembered, remember] = usePreference('lists', name, 'columns')
  const defs = useMemo(() => columns.map((column): ColumnDef<R> => ({ id: column.id, header: column.title })), [columns])
  const order = useMemo(() => chosen(columns, remembered).map((column) => column.id), [columns, remembered])
  const visible = useMemo(
    () => Object.fromEntries(columns.map((column) => [column.id, order.includes(column.id)])),
    [columns, order],
  )
  // eslint-disable-next-line react-hooks/incompatible-library -- what is taken from it below is plain and memoised here
  const table = useReactTable<R>({
    data: NO_ROWS,
    columns: defs,
    state: { columnOrder: order, columnVisibility: visible },
    manualSorting: true,
    getCoreRowModel: getCoreRowModel(),
  })
  const shownIds = table.getVisibleLeafColumns().map((column) => column.id).join('\n')
  const allIds = table.getAllLeafColumns().map((column) => column.id).join('\n')
  return useMemo(() => {
    const named = (ids: string) =>
      ids.split('\n').flatMap((id) => columns.find((column) => column.id === id) ?? [])
    return {
      shown: named(shownIds),
      all: named(allIds),
      choose: (ids) => remember(ids === null ? null : [...ids]),
      usual: remembered === undefined,
    }
  }, [columns, shownIds, allIds, remember, remembered])
}
