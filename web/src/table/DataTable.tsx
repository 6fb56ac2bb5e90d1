/**
 * [DataTable]: the one table of the console. It takes its rows from a [Source] (a list of the server of any length, or
 * rows at hand), draws those on screen, and holds their order while somebody points at them.
 */
import { Button } from '@mantine/core'
import { IconArrowsSort } from '@tabler/icons-react'
import { useRouter } from '@tanstack/react-router'
import { type ReactNode, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react'
import { usePreference } from '~/preferences/preferences'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { AsOf } from './asOf'
import { Body, type BodyHandle, HEAD } from './Body'
import { useCards } from './cards'
import { useColumns } from './columns'
import classes from './DataTable.module.css'
import { pathOf, plain } from './go'
import { Failure } from './Failure'
import { Head } from './Head'
import { Holder } from './hold'
import { usePinned } from './pinned'
import { type Anchor, RowMenu } from './RowMenu'
import { only, ranged, type Selected, toggled } from './selection'
import type { Column, Identified, Order, Source } from './types'
import { step } from './window'

/** Selecting all that match takes so many at most: what one request may be about. */
export const MOST_SELECTED = 500

export interface DataTableProps<R extends Identified> {
  /** Under this name its columns are remembered. */
  name: string
  /** What it is a list of, for who cannot see it. */
  label: string
  columns: readonly Column<R>[]
  source: Source<R>
  sort: string
  /** Absent: it cannot be sorted. */
  onSort?: (sort: string) => void
  /** What a row is called. */
  nameOf: (row: R) => string
  /** The path of the page behind a row. */
  to?: (row: R) => string | undefined
  /** Whether it is shown as it was last seen. */
  stale?: (row: R) => boolean
  /** Which are selected; absent: none can be. */
  selected?: Selected<R>
  onSelect?: (selected: Selected<R>) => void
  /** The menu of a row: items for a `Menu.Dropdown`. */
  menu?: (row: R) => ReactNode
  /** Instead of rows, when there are none: nothing there yet, or nothing that fits. */
  empty?: ReactNode
  /** Is as high as its rows, and at most so many pixels; absent: fills what it stands in. */
  fit?: number
}

const CHECK = 38
const MORE = 40
const HEIGHTS = { comfortable: 36, compact: 28, card: 58 } as const
const NOTHING: Order = { key: '', total: 0, id: () => undefined, has: () => false }
/** While nothing is known, so many rows are drawn as skeletons. */
const SKELETONS = 12

export function DataTable<R extends Identified>(props: DataTableProps<R>) {
  const { name, label, columns, source, sort, onSort, nameOf, to, stale, selected, onSelect, menu, empty, fit } = props
  const router = useRouter()
  const gridId = useId()
  const grid = useRef<HTMLDivElement>(null)
  const body = useRef<BodyHandle>(null)
  const card = useCards()
  const [density] = usePreference('density')
  const height = card ? HEIGHTS.card : HEIGHTS[density ?? 'comfortable']
  const { shown } = useColumns(name, columns)

  const [holder] = useState(() => new Holder<R>())
  const [, again] = useState(0)
  const [pointed, setPointed] = useState(false)
  const [focused, setFocused] = useState(false)
  const [active, setActive] = useState<number | undefined>(undefined)
  const [anchor, setAnchor] = useState<Anchor<R> | undefined>(undefined)
  const [changed, setChanged] = useState(false)
  // All that match are being selected, or could not be.
  const [taking, setTaking] = useState(false)
  const [untaken, setUntaken] = useState<unknown>(undefined)
  const last = useRef<number | undefined>(undefined)

  const holding = pointed || (focused && active !== undefined) || anchor !== undefined
  const latest = source.order ?? NOTHING
  const order = holder.view(latest, holding)
  const loading = source.order === undefined && source.error == null
  const count = loading ? SKELETONS : order.total

  // Another question begins at its top.
  const { key } = latest
  const before = useRef(key)
  useEffect(() => {
    if (before.current !== key && before.current !== '' && grid.current) grid.current.scrollTop = 0
    before.current = key
  }, [key])

  const at = (index: number): R | undefined => {
    const id = order.id(index)
    return id === undefined ? undefined : (source.row(id) ?? holder.row(id, undefined))
  }
  const { all } = source
  const takeAll = useCallback(async () => {
    setTaking(true)
    setUntaken(undefined)
    try {
      onSelect?.(only(await all(MOST_SELECTED)))
    } catch (error) {
      setUntaken(error)
    }
    setTaking(false)
  }, [all, onSelect])

  const select = (index: number, range: boolean) => {
    const row = at(index)
    if (!row || !selected || !onSelect) return
    const from = last.current
    onSelect(range && from !== undefined ? ranged(selected, from, index, at) : toggled(selected, row))
    last.current = index
  }
  const open = (index: number, x: number, y: number) => {
    const row = at(index)
    if (row && menu) setAnchor({ row, x, y })
  }
  const go = (path: string | undefined) => {
    if (path !== undefined) void router.navigate({ href: path })
  }

  const press = (event: React.MouseEvent) => {
    const target = event.target as Element
    const element = target.closest<HTMLElement>('[data-index]')
    if (!element) return
    const index = Number(element.dataset.index)
    const part = target.closest<HTMLElement>('[data-part]')?.dataset.part
    if (part === 'check') {
      // The label passes its press on to the box: one of the two counts.
      if (target.tagName === 'INPUT') select(index, event.shiftKey)
      return
    }
    if (part === 'menu') {
      const box = target.closest('button')?.getBoundingClientRect()
      open(index, box?.right ?? event.clientX, box?.bottom ?? event.clientY)
      return
    }
    if (!plain(event)) return
    const path = pathOf(target)
    if (path !== undefined) {
      event.preventDefault()
      go(path)
    } else if (!target.closest('a,button,input') && (getSelection()?.isCollapsed ?? true)) {
      const row = at(index)
      if (row) go(to?.(row))
    }
  }

  const keys = (event: React.KeyboardEvent) => {
    if (event.target !== grid.current || event.altKey) return
    const first = body.current?.first() ?? 0
    const page = Math.max(1, (body.current?.last() ?? 0) - first - 1)
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }
    const by = moves[event.key]
    const now = active ?? (by === undefined || by > 0 ? first - 1 : first + 1)
    const move = (next: number) => {
      if (order.total === 0) return
      event.preventDefault()
      setActive(next)
      body.current?.scrollTo(next)
      if (event.shiftKey && selected && onSelect) onSelect(ranged(selected, active ?? next, next, at))
      last.current = next
    }
    if (by !== undefined) return move(step(now, by, order.total))
    if (event.key === 'Home') return move(0)
    if (event.key === 'End') return move(order.total - 1)
    if (event.key.toLowerCase() === 'a' && (event.ctrlKey || event.metaKey) && selected) {
      event.preventDefault()
      void takeAll()
      return
    }
    if (event.key === 'Escape') {
      if (selected && selected.size > 0) onSelect?.(new Map())
      setActive(undefined)
      return
    }
    if (active === undefined) return
    const row = at(active)
    if (event.key === ' ') {
      event.preventDefault()
      select(active, event.shiftKey)
    } else if (event.key === 'Enter' && row) {
      event.preventDefault()
      go(to?.(row))
    } else if ((event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) && menu) {
      event.preventDefault()
      const box = document.getElementById(`${gridId}-${active}`)?.getBoundingClientRect()
      if (box) open(active, Math.min(box.left + 200, innerWidth - 40), box.bottom)
    }
  }

  const show = () => {
    const id = active === undefined ? undefined : order.id(active)
    holder.release()
    if (id !== undefined) {
      let found: number | undefined
      const end = body.current?.last() ?? 0
      for (let index = body.current?.first() ?? 0; index <= end; index += 1) if (latest.id(index) === id) found = index
      setActive(found)
    }
    again((number) => number + 1)
  }

  const pinned = shown[0]?.always === true
  const selects = selected !== undefined
  const hasMenu = menu !== undefined
  const saysSeen = shown.some((column) => column.id === 'seen')
  const template = useMemo(() => {
    const parts = shown.map(({ width, grow }) => (grow ? `minmax(${width}px, ${grow}fr)` : `minmax(${width}px, 0.001fr)`))
    const sum = shown.reduce((all, { width }) => all + width, 0)
    const extra = (selects ? CHECK : 0) + (hasMenu ? MORE : 0)
    return {
      columns: [selects ? `${CHECK}px` : '', ...parts, hasMenu ? `${MORE}px` : ''].filter(Boolean).join(' '),
      least: sum + extra,
    }
  }, [shown, selects, hasMenu])
  const style = {
    '--columns': template.columns,
    '--least': card ? '0' : `${template.least}px`,
    '--row': `${height}px`,
    '--head': `${HEAD}px`,
    '--check': selected ? '40px' : '0px',
  } as React.CSSProperties

  const marked: 'all' | 'some' | 'none' | undefined =
    selected && (selected.size === 0 ? 'none' : selected.size >= Math.min(order.total, MOST_SELECTED) ? 'all' : 'some')
  // Stays as it is while rows tick.
  const head = useMemo(
    () => (
      <Head
        columns={shown}
        sort={sort}
        onSort={onSort}
        selected={marked}
        onSelectAll={() => (marked === 'none' ? void takeAll() : onSelect?.(new Map()))}
        busy={taking}
        pinned={pinned}
        menu={hasMenu}
        card={card}
      />
    ),
    [shown, sort, onSort, marked, takeAll, onSelect, taking, pinned, hasMenu, card],
  )
  usePinned(grid, useMemo(() => ({ template, card }), [template, card]))

  const wasOpen = useRef(false)
  useEffect(() => {
    if (wasOpen.current && !anchor) grid.current?.focus({ preventScroll: true })
    wasOpen.current = anchor !== undefined
  }, [anchor])

  // Over nothing there is room for what went wrong; else it takes its room at the end, where it moves no row.
  const none = source.order === undefined || source.order.total === 0
  return (
    <div
      className={classes.wrap}
      style={fit === undefined ? undefined : { flex: 'none', maxHeight: fit }}
      onPointerEnter={(event) => event.pointerType !== 'touch' && setPointed(true)}
      onPointerLeave={() => setPointed(false)}
    >
      <div
        ref={grid}
        className={classes.grid}
        style={style}
        role="grid"
        aria-label={label}
        aria-rowcount={source.order ? order.total + 1 : -1}
        aria-colcount={shown.length + (selected ? 1 : 0) + (menu ? 1 : 0)}
        aria-multiselectable={selected ? true : undefined}
        aria-activedescendant={active === undefined || active >= count ? undefined : `${gridId}-${active}`}
        aria-busy={loading || source.pending}
        data-pending={source.pending && source.order !== undefined}
        data-dense={!card && density === 'compact' ? true : undefined}
        data-seen={!card && saysSeen ? true : undefined}
        data-cut={source.asOf === undefined ? undefined : true}
        data-scroll-restoration-id={`list-${name}`}
        tabIndex={0}
        onKeyDown={keys}
        onClick={press}
        onMouseDown={(event) => {
          const part = (event.target as Element).closest<HTMLElement>('[data-part]')
          if (!part) return
          // The focus stays with the table: what is in its rows comes and goes.
          event.preventDefault()
          grid.current?.focus({ preventScroll: true })
          setActive(Number(part.closest<HTMLElement>('[data-index]')?.dataset.index))
        }}
        onFocus={(event) => event.target === event.currentTarget && setFocused(true)}
        onBlur={(event) => event.target === event.currentTarget && setFocused(false)}
      >
        {head}
        {none && source.error != null && (
          <div className={classes.under}>
            <ProblemView error={source.error} again={source.again} />
          </div>
        )}
        <AsOf value={source.asOf}>
          <Body
            ref={body}
            grid={grid}
            gridId={gridId}
            source={source}
            latest={latest}
            order={order}
            holder={holder}
            holding={holding && source.order !== undefined}
            count={count}
            height={height}
            columns={card ? columns : shown}
            pinned={pinned}
            card={card}
            active={active}
            selected={selected}
            stale={stale}
            nameOf={nameOf}
            to={to}
            menu={hasMenu}
            onChanged={setChanged}
          />
        </AsOf>
        {source.order?.total === 0 && source.error == null && !source.pending && (
          // Within a grid there are rows only.
          <div role="row" className={classes.under}>
            <div role="gridcell">{empty ?? <Empty title="Nothing here" />}</div>
          </div>
        )}
      </div>
      {changed && (
        <Button
          className={classes.pill}
          radius="xl"
          size="compact-sm"
          leftSection={<IconArrowsSort size={14} />}
          onMouseDown={(event) => event.preventDefault()}
          onClick={show}
        >
          Order changed – show
        </Button>
      )}
      {!none && source.error != null && <Failure error={source.error} again={source.again} />}
      {!none && source.error == null && untaken !== undefined && <Failure error={untaken} title="Nothing was selected" again={() => void takeAll()} />}
      {menu && anchor && (
        <RowMenu x={anchor.x} y={anchor.y} name={nameOf(anchor.row)} onClose={() => setAnchor(undefined)}>
          {menu(anchor.row)}
        </RowMenu>
      )}
    </div>
  )
}
