/** A page that is a list: what stands above it, and the table. */
import type { Node, Storage } from '~/api/types'
import { DataTable } from '~/table/DataTable'
import { useLiveRows } from '~/table/sources'
import type { Column } from '~/table/types'
import { Page } from '~/ui/Page'
import type { ChipsOf } from './Chips'
import { ListBar } from './ListBar'
import classes from './ListBar.module.css'
import { NothingFits } from './NothingFits'
import { useQuestion } from './question'
import { heard } from './refused'

interface Kinds {
  nodes: Node
  storages: Storage
}

export interface ListPageProps<K extends keyof Kinds> {
  list: K
  title: string
  /** One of them: `node`. */
  one: string
  search: { q?: string | undefined; sort?: string | undefined }
  columns: readonly Column<Kinds[K]>[]
  chips: readonly ChipsOf[]
  nameOf: (row: Kinds[K]) => string
  to: (row: Kinds[K]) => string
}

export function ListPage<K extends keyof Kinds>({ list, title, one, search, columns, chips, nameOf, to }: ListPageProps<K>) {
  const { q, sort, change } = useQuestion(list, search)
  const source = useLiveRows(list, q, sort)
  return (
    <Page title={title} full>
      <div className={classes.page}>
        <ListBar
          list={list}
          one={one}
          q={q}
          sort={sort}
          onChange={change}
          columns={columns}
          total={source.order?.total}
          counts={source.counts}
          pending={source.pending}
          error={source.error}
          chips={chips}
        />
        <DataTable<Kinds[K]>
          name={list}
          label={title}
          columns={columns}
          source={heard(source)}
          sort={sort}
          onSort={(by) => change({ sort: by })}
          nameOf={nameOf}
          to={to}
          stale={(row) => row.freshness !== 'live'}
          empty={<NothingFits what={list} q={q} remotes={source.counts?.remotes} error={source.error} onClear={() => change({ q: '' })} />}
        />
      </div>
    </Page>
  )
}
