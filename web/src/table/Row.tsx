/** One row of a table. Drawn anew only when something in it is another: scrolling and ticking touch no other row. */
import { memo, type ReactNode, useMemo } from 'react'
import classes from './DataTable.module.css'
import { Unknown } from './cells'
import { linkTo } from './go'
import type { Column, Identified } from './types'

const LEFT = 'No longer in the list, or at another place of it'

export interface RowProps<R> {
  /** Names the row for `aria-activedescendant`. */
  elementId: string
  index: number
  top: number
  /** `undefined`: not known yet. */
  row: R | undefined
  /** What it holds is another row's, and is not seen. */
  blank: boolean
  /** It was here when the order was held, and is not in the list any more, or elsewhere in it. */
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
  const { elementId, index, top, row, blank, gone, columns, pinned, card, active, selected, stale, name, to, menu } = props
  const selects = selected !== undefined
  // What only moves is not drawn anew.
  const cells = useMemo(() => {
    if (card) return <Card row={row} gone={gone} columns={columns} to={to} />
    return columns.map((column, at) => (
      <div
        key={column.id}
        role="gridcell"
        aria-colindex={at + (selects ? 2 : 1)}
        data-end={column.end}
        data-clear={column.clear}
        className={pinned && at === 0 ? `${classes.cell} ${classes.pinned}` : classes.cell}
      >
        {contentOf(row, gone, column, to)}
      </div>
    ))
  }, [row, gone, columns, to, pinned, card, selects])
  return (
    <div
      id={elementId}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      aria-busy={(row === undefined && !gone) || blank ? true : undefined}
      aria-hidden={blank ? true : undefined}
      data-blank={blank ? true : undefined}
      data-index={index}
      data-link={to === undefined ? undefined : true}
      data-active={active ? true : undefined}
      data-selected={selected ? true : undefined}
      data-stale={stale ? true : undefined}
      data-gone={gone ? true : undefined}
      title={gone ? LEFT : undefined}
      className={card ? classes.card : classes.row}
      style={{ transform: `translateY(${top}px)` }}
    >
      {selected !== undefined && (
        <div role="gridcell" aria-colindex={1} data-clear className={pinned ? `${classes.check} ${classes.pinned}` : classes.check}>
          {row && (
            // Wider than the box: it can be pressed with a thumb.
            <label data-part="check">
              <input type="checkbox" tabIndex={-1} aria-label={`Select ${name}`} checked={selected} readOnly />
            </label>
          )}
        </div>
      )}
      {cells}
      {menu && (
        <div role="gridcell" data-clear className={classes.more}>
          {row && (
            <button type="button" tabIndex={-1} data-part="menu" aria-haspopup="menu" aria-label={`Actions for ${name}`}>
              {DOTS}
            </button>
          )}
        </div>
      )}
    </div>
  )
}

export const RowView = memo(Row) as typeof Row

function contentOf<R>(row: R | undefined, gone: boolean, column: Column<R>, to: string | undefined): ReactNode {
  if (row === undefined) return gone ? null : SKELETON
  // How it is now, the list does not tell any more.
  if (gone && column.clear) return <Unknown why={LEFT} />
  if (!column.always) return column.cell(row)
  return (
    <>
      <Main to={to}>{column.cell(row)}</Main>
      {gone && <span className={classes.left}>no longer here</span>}
    </>
  )
}

function Main({ to, children }: { to: string | undefined; children: ReactNode }) {
  if (to === undefined) return children
  return (
    <a href={linkTo(to)} data-main tabIndex={-1} className={classes.link}>
      {children}
    </a>
  )
}

interface CardProps<R> {
  row: R | undefined
  gone: boolean
  columns: readonly Column<R>[]
  to: string | undefined
}

function Card<R>({ row, gone, columns, to }: CardProps<R>) {
  const at = (place: Column<R>['card']) => columns.filter((column) => column.card === place)
  if (row === undefined && gone) return <div role="gridcell" className={classes.content} />
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
      <span className={classes.side}>
        {gone ? <span className={classes.left}>no longer here</span> : at('side').map((column) => <span key={column.id}>{column.cell(row)}</span>)}
      </span>
      <span className={classes.line}>
        {at('line').map((column) => (
          <span key={column.id}>{column.cell(row)}</span>
        ))}
      </span>
    </div>
  )
}

// Elements that stay the same are not even looked at when a row is drawn anew.
const SKELETON = <span className={classes.skeleton} />

const DOTS = (
  <svg width="16" height="16" viewBox="0 0 16 16" fill="currentColor" aria-hidden>
    <circle cx="3" cy="8" r="1.4" />
    <circle cx="8" cy="8" r="1.4" />
    <circle cx="13" cy="8" r="1.4" />
  </svg>
)
