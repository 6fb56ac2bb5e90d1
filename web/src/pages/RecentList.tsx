/** The list of tasks and that of operations: what the stream tells, under a query. */
import { useLinks } from '~/live/hooks'
import type { ChipsOf } from '~/query/Chips'
import { ListPage } from '~/query/ListPage'
import { useQuestion } from '~/query/question'
import { useRecentRows } from '~/table/recent'
import type { Lists } from '~/table/sources'
import type { Column } from '~/table/types'
import { Links } from '~/tasks/Standing'
import { lastSeen } from '~/tasks/time'
import { Empty } from '~/ui/Empty'

export interface RecentListProps<K extends 'tasks' | 'operations'> {
  list: K
  title: string
  /** One of them: `task`. */
  one: string
  search: { q?: string | undefined; sort?: string | undefined }
  /** Rows as the stream tells them. */
  told: ReadonlyMap<string, Lists[K]> | undefined
  /** Whether the one is from before the other. */
  older: (one: Lists[K], than: Lists[K]) => boolean
  /** Whether it has not ended. */
  open: (row: Lists[K]) => boolean
  columns: readonly Column<Lists[K]>[]
  chips: readonly ChipsOf[]
  nameOf: (row: Lists[K]) => string
  to: (row: Lists[K]) => string
  /** The items of a row's menu. */
  menu?: (row: Lists[K]) => React.ReactNode
  /** What the list says when there is nothing, nothing narrows it, and it is known that there is nothing. */
  none: string
}

export function RecentList<K extends 'tasks' | 'operations'>(props: RecentListProps<K>) {
  const { list, title, one, search, told, older, open, columns, chips, nameOf, to, menu, none } = props
  const question = useQuestion(list, search)
  const source = useRecentRows(list, question.q, question.sort, told, older)
  const links = useLinks()
  const nothing = question.q === '' && isNone(list, source.counts?.remotes)
  return (
    <Links value={links}>
      <ListPage<K>
        list={list}
        title={title}
        one={one}
        question={question}
        source={source}
        columns={columns}
        chips={chips}
        nameOf={nameOf}
        to={to}
        stale={(row) => lastSeen(open(row), links?.get(row.remote_id)?.link) !== undefined}
        menu={menu}
        none={nothing ? <Empty title={`No ${list} yet`}>{none}</Empty> : undefined}
      />
    </Links>
  )
}

/** Whether there is nothing of it for sure: of operations Muster knows by itself, of tasks as far as all remotes are reached. */
export function isNone(list: 'tasks' | 'operations', remotes: { total: number; up: number; never_listed: number } | undefined): boolean {
  if (remotes === undefined || remotes.total === 0) return false
  return list === 'operations' || (remotes.never_listed === 0 && remotes.up === remotes.total)
}
