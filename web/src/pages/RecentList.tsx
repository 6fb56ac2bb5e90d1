/** The list of tasks and that of operations: what the stream tells, under a query. */
import type { Counts } from '~/api/types'
import { count } from '~/format/format'
import type { ChipsOf } from '~/query/Chips'
import { ListBar } from '~/query/ListBar'
import classes from '~/query/ListBar.module.css'
import { NothingFits } from '~/query/NothingFits'
import { useQuestion } from '~/query/question'
import { heard } from '~/query/refused'
import { DataTable } from '~/table/DataTable'
import { MOST_RECENT, useRecent } from '~/table/recent'
import { useRowsAtHand } from '~/table/sources'
import type { Column } from '~/table/types'
import { Empty } from '~/ui/Empty'
import { Page } from '~/ui/Page'

export interface RecentListProps<R extends { id: string }> {
  list: 'tasks' | 'operations'
  title: string
  /** One of them: `task`. */
  one: string
  search: { q?: string | undefined; sort?: string | undefined }
  ask: (
    query: { q?: string; sort?: string; limit: number },
    signal: AbortSignal,
  ) => Promise<{ items: R[]; total: number; counts?: Counts }>
  /** Rows as the stream tells them. */
  told: ReadonlyMap<string, R> | undefined
  columns: readonly Column<R>[]
  chips: readonly ChipsOf[]
  nameOf: (row: R) => string
  to: (row: R) => string
  /** The items of a row's menu. */
  menu?: (row: R) => React.ReactNode
  /** What the list says when there is nothing and nothing narrows it. */
  none: string
}

/** The order is the server's. */
const AS_TOLD = ''

export function RecentList<R extends { id: string }>(props: RecentListProps<R>) {
  const { list, title, one, search, ask, told, columns, chips, nameOf, to, menu, none } = props
  const { q, sort, change } = useQuestion(list, search)
  const recent = useRecent<R>(
    [list, q, sort],
    (signal) => ask({ limit: MOST_RECENT, ...(q === '' ? {} : { q }), ...(sort === '' ? {} : { sort }) }, signal),
    told,
  )
  const source = useRowsAtHand(recent.rows, columns, AS_TOLD, {
    error: recent.error,
    again: recent.again,
    pending: recent.pending,
  })
  const more = (recent.total ?? 0) > MOST_RECENT
  return (
    <Page title={title} full {...(more ? { beside: `the first ${count(MOST_RECENT)}: a filter finds the others` } : {})}>
      <div className={classes.page}>
        <ListBar
          list={list}
          one={one}
          q={q}
          sort={sort}
          onChange={change}
          columns={columns}
          total={recent.total}
          counts={recent.counts}
          error={recent.error}
          chips={chips}
        />
        <DataTable
          name={list}
          label={title}
          columns={columns}
          source={heard(source)}
          sort={sort}
          onSort={(by) => change({ sort: by })}
          nameOf={nameOf}
          to={to}
          {...(menu && { menu })}
          empty={
            q === '' && recent.counts?.remotes?.total !== 0 ? (
              <Empty title={`No ${list} yet`}>{none}</Empty>
            ) : (
              <NothingFits what={list} q={q} remotes={recent.counts?.remotes} error={recent.error} onClear={() => change({ q: '' })} />
            )
          }
        />
      </div>
    </Page>
  )
}
