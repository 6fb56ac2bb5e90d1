/** One row of a table. Drawn anew only when something in it is another: scrolling and ticking touch no other row. */
import { memo, type ReactNode } from 'react'
import classes from './DataTable.module.css'
import { linkTo } from './go'
import type { Column, Identified } from './types'

export interface RowProps<R> {
  /** Names the row for `aria-activedescendant`. */
  elementId: string
  index: number
  top: number
  /** `undefined`: not known yet. */
  row: R | undefined
  /** It was here when the order was held, and is not in the list any more. */
  gone: boolean
  columns: readonly Column<R>[]
  pinned: boolean
  card: boolean
  active: boolean
  /** `undefined`: rows cannot be selected. */
  selected: boolean | undefined
  stale: boolean
  name: string
  to: string | undefined
  menu: boolean
}

function Row<R extends Identified>(props: RowProps<R>) {
  const { elementId, index, top, row, gone, columns, pinned, card, active, selected, stale, name, to, menu } = props
  const cells = card
    ? [<Card key="card" row={row} columns={columns} to={to} />]
    : columns.map((column, at) => (
        <div
          key={column.id}
          role="gridcell"
          aria-colindex={at + (selected === undefined ? 1 : 2)}
          data-end={column.end}
          data-clear={column.clear}
          className={pinned && at === 0 ? `${classes.cell} ${classes.pinned}` : classes.cell}
        >
          {row === undefined ? <span className={classes.skeleton} /> : column.always ? <Main to={to}>{column.cell(row)}</Main> : column.cell(row)}
        </div>
      ))
  return (
    <div
      id={elementId}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      aria-busy={row === undefined ? true : undefined}
      data-index={index}
      data-link={to === undefined ? undefined : true}
      data-active={active ? true : undefined}
      data-selected={selected ? true : undefined}
      data-stale={stale ? true : undefined}
      data-gone={gone ? true : undefined}
      title={gone ? 'No longer at this place of the list' : undefined}
      className={card ? classes.card : classes.row}
      style={{ transform: `translateY(${top}px)` }}
    >
      {selected !== undefined && (
        <div role="gridcell" aria-colindex={1} data-clear className={pinned ? `${classes.check} ${classes.pinned}` : classes.check}>
          {row && (
            // Wider than the box: it can be pressed with a thumb.
            <label data-part="check">
              <input type="checkbox" tabIndex={-1} checked={selected} readOnly aria-label={`Select ${name}`} />
            </label>
          )}
        </div>
      )}
      {cells}
      {menu && (
        <div role="gridcell" data-clear className={classes.more}>
          {row && (
            <button type="button" tabIndex={-1} data-part="menu" aria-haspopup="menu" aria-label={`Actions for ${name}`}>
              <Dots />
            </button>
          )}
        </div>
      )}
    </div>
  )
}

export const RowView = memo(Row) as typeof Row

function Main({ to, children }: { to: string | undefined; children: ReactNode }) {
  if (to === undefined) return children
  return (
    <a href={linkTo(to)} data-to={to} data-main tabIndex={-1} className={classes.link}>
      {children}
    </a>
  )
}

function Card<R>({ row, columns, to }: { row: R | undefined; columns: readonly Column<R>[]; to: string | undefined }) {
  const at = (place: Column<R>['card']) => columns.filter((column) => column.card === place)
  if (row === undefined) {
    return (
      <div role="gridcell" className={classes.content}>
        <span className={`${classes.title} ${classes.skeleton}`} />
        <span className={`${classes.line} ${classes.skeleton}`} />
      </div>
    )
  }
  return (
    <div role="gridcell" className={classes.content}>
      <span className={classes.title}>
        {at('title').map((column) => (
          <Main key={column.id} to={to}>
            {column.cell(row)}
          </Main>
        ))}
      </span>
      <span className={classes.side}>{at('side').map((column) => <span key={column.id}>{column.cell(row)}</span>)}</span>
      <span className={classes.line}>
        {at('line').map((column) => (
          <span key={column.id}>{column.cell(row)}</span>
        ))}
      </span>
    </div>
  )
}

function Dots() {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="currentColor" aria-hidden>
      <circle cx="3" cy="8" r="1.4" />
      <circle cx="8" cy="8" r="1.4" />
      <circle cx="13" cy="8" r="1.4" />
    </svg>
  )
}
