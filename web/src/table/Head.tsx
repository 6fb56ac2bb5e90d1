/** The headings of a table: what each column is, and by which the rows are sorted. */
import classes from './DataTable.module.css'
import { direction, pressed, readSort, writeSort } from './sorting'
import type { Column } from './types'

export interface HeadProps<R> {
  columns: readonly Column<R>[]
  sort: string
  onSort: ((sort: string) => void) | undefined
  /** Whether all, some or none are selected; absent: rows cannot be selected. */
  selected: 'all' | 'some' | 'none' | undefined
  onSelectAll: () => void
  /** They are being selected. */
  busy: boolean
  pinned: boolean
  menu: boolean
  card: boolean
}

export function Head<R>({ columns, sort, onSort, selected, onSelectAll, busy, pinned, menu, card }: HeadProps<R>) {
  const check = selected !== undefined && (
    <div role="columnheader" aria-colindex={1} className={pinned && !card ? `${classes.check} ${classes.pinned}` : classes.check}>
      <input
        type="checkbox"
        aria-label="Select all that match"
        checked={selected === 'all'}
        aria-busy={busy}
        title={busy ? 'Asking for all that match' : undefined}
        ref={(box) => {
          if (box) box.indeterminate = selected === 'some'
        }}
        onChange={() => !busy && onSelectAll()}
      />
    </div>
  )
  if (card) {
    const by = columns.filter((column) => column.sort !== undefined)
    return (
      <div role="row" aria-rowindex={1} className={`${classes.head} ${classes.cardHead}`}>
        {check}
        <div role="columnheader" className={classes.heading}>
          <CardSort columns={by} sort={sort} onSort={onSort} />
        </div>
      </div>
    )
  }
  return (
    <div role="row" aria-rowindex={1} className={classes.head}>
      {check}
      {columns.map((column, at) => {
        const sorted = onSort ? direction(sort, column) : undefined
        return (
          <div
            key={column.id}
            role="columnheader"
            aria-colindex={at + (selected === undefined ? 1 : 2)}
            aria-sort={sorted}
            data-end={column.end}
            className={pinned && at === 0 ? `${classes.heading} ${classes.pinned}` : classes.heading}
            title={column.what}
          >
            {sorted === undefined ? (
              <span>
                <span className="cut">{column.title}</span>
              </span>
            ) : (
              <button type="button" onClick={(event) => onSort?.(pressed(sort, column, event.shiftKey))}>
                <span className="cut">{column.title}</span>
                <Arrow of={sorted} />
              </button>
            )}
          </div>
        )
      })}
      {menu && (
        <div role="columnheader" className={classes.more}>
          <span className={classes.hidden}>Actions</span>
        </div>
      )}
    </div>
  )
}

function Arrow({ of }: { of: 'ascending' | 'descending' | 'none' }) {
  if (of === 'none') return null
  return (
    <span aria-hidden className={classes.arrow}>
      {of === 'ascending' ? '↑' : '↓'}
    </span>
  )
}

/** Where there is no room for headings. */
function CardSort<R>({
  columns,
  sort,
  onSort,
}: {
  columns: readonly Column<R>[]
  sort: string
  onSort: ((sort: string) => void) | undefined
}) {
  const now = columns.find((column) => direction(sort, column) !== 'none')
  const way = now && direction(sort, now)
  return (
    <label className={classes.sortBy}>
      <span>Sorted by</span>
      <select
        value={now?.id ?? ''}
        onChange={(event) => {
          const column = columns.find((one) => one.id === event.target.value)
          onSort?.(column ? pressed('', column, false) : '')
        }}
      >
        <option value="">usual order</option>
        {columns.map((column) => (
          <option key={column.id} value={column.id}>
            {column.title}
          </option>
        ))}
      </select>
      {now && (
        <button type="button" onClick={() => onSort?.(turned(sort))} aria-label="Turn the order round">
          {way === 'ascending' ? '↑' : '↓'}
        </button>
      )}
    </label>
  )
}

function turned(sort: string): string {
  return writeSort(readSort(sort).map(({ key, descending }) => ({ key, descending: !descending })))
}
