/** The rows of a table that are on screen. Scrolling draws this anew, and nothing else of the table. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { type Ref, type RefObject, useEffect, useImperativeHandle, useReducer, useState } from 'react'
import classes from './DataTable.module.css'
import type { Held, Holder } from './hold'
import { drawn, Places } from './places'
import { RowView } from './Row'
import type { Selected } from './selection'
import type { Column, Identified, Order, Source } from './types'

/** As high as the headings. */
export const HEAD = 34
/** So many rows are drawn before and after those on screen. */
const AROUND = 4
/** The place of a row that is drawn though it is far from the screen. */
const APART = -1

/** What the table asks of its rows. */
export interface BodyHandle {
  first: () => number
  last: () => number
  scrollTo: (index: number) => void
}

export interface BodyProps<R extends Identified> {
  grid: RefObject<HTMLDivElement | null>
  gridId: string
  ref: Ref<BodyHandle>
  source: Source<R>
  latest: Order
  /** What is shown, which may be held. */
  order: Held
  holder: Holder<R>
  holding: boolean
  count: number
  height: number
  columns: readonly Column<R>[]
  pinned: boolean
  card: boolean
  active: number | undefined
  selected: Selected<R> | undefined
  stale: ((row: R) => boolean) | undefined
  nameOf: (row: R) => string
  to: ((row: R) => string | undefined) | undefined
  menu: boolean
  /** Told when what is shown is not what it would be. */
  onChanged: (changed: boolean) => void
}

export function Body<R extends Identified>(props: BodyProps<R>) {
  const { grid, gridId, ref, source, latest, order, holder, holding, count, height, active, selected, stale, nameOf, to } = props
  const { columns, pinned, card, menu, onChanged } = props
  const [places] = useState(() => new Places<R>())
  const [, next] = useReducer((frame: number) => frame + 1, 0)
  // eslint-disable-next-line react-hooks/incompatible-library -- what it gives is used in this component only, which no compiler touches
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => grid.current,
    estimateSize: () => height,
    scrollMargin: HEAD,
    scrollPaddingStart: HEAD,
  })
  useEffect(() => virtual.measure(), [virtual, height])
  useImperativeHandle(
    ref,
    () => ({
      first: () => virtual.range?.startIndex ?? 0,
      last: () => virtual.range?.endIndex ?? 0,
      scrollTo: (index) => virtual.scrollToIndex(index),
    }),
    [virtual],
  )
  const range = virtual.calculateRange()
  const first = range?.startIndex ?? 0
  const last = range?.endIndex ?? 0
  const { look } = source
  useEffect(() => look(first, last), [look, first, last])
  const changed = holding && holder.changed(latest, first, last)
  useEffect(() => onChanged(changed), [onChanged, changed])

  // Rows keep their places in the document and take over what comes into view.
  const slots = Math.ceil((virtual.scrollRect?.height ?? 0) / height) + 2 + 2 * AROUND
  const rows = new Map(range === null ? [] : drawn(first, last, AROUND, slots, count).map((index) => [index % slots, index]))
  // The row that the keys are at is always there: who cannot see it is told of it by its name in the document.
  if (active !== undefined && active < count && rows.get(active % slots) !== active) rows.set(APART, active)
  holder.draws()
  places.begin()
  const wanted = [...rows].map(([slot, index]) => {
    const id = order.id(index)
    return { slot, index, id, row: id === undefined ? undefined : holder.row(id, source.row(id)) }
  })
  // Those on screen first.
  const away = (index: number) => (index < first || index > last ? 1 : 0)
  const drawnIn = new Map(
    wanted
      .sort((a, b) => away(a.index) - away(b.index) || a.index - b.index)
      .map(({ slot, index, id, row }) => [slot, { index, id, ...places.draw(slot, id, row) }]),
  )
  const { behind } = places
  useEffect(() => {
    if (!behind) return
    const frame = requestAnimationFrame(next)
    return () => cancelAnimationFrame(frame)
  })
  return (
    <div role="rowgroup" className={classes.body} style={{ height: count * height }}>
      {places.arrange(rows, virtual.isScrolling).map((slot) => {
        const place = drawnIn.get(slot)
        if (!place) return null
        const { index, id, row, blank } = place
        return (
          <RowView
            key={slot}
            elementId={`${gridId}-${index}`}
            index={index}
            top={index * height}
            row={row}
            blank={blank}
            gone={order.gone(index)}
            columns={columns}
            pinned={pinned}
            card={card}
            active={index === active}
            selected={selected && id !== undefined && selected.has(id)}
            stale={row !== undefined && (stale?.(row) ?? false)}
            name={row ? nameOf(row) : ''}
            to={row && to?.(row)}
            menu={menu}
          />
        )
      })}
    </div>
  )
}
