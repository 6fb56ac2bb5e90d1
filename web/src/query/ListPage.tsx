/** A page that is a list: what stands above it, and the table. */
import type { ReactNode } from 'react'
import { DataTable } from '~/table/DataTable'
import type { Lists, LiveSource } from '~/table/sources'
import type { Column } from '~/table/types'
import { Page } from '~/ui/Page'
import type { ChipsOf } from './Chips'
import { ListBar } from './ListBar'
import classes from './ListBar.module.css'
import { NothingFits } from './NothingFits'
import type { Question } from './question'
import { heard } from './refused'

export interface ListPageProps<K extends keyof Lists> {
  list: K
  title: string
  /** One of them: `node`. */
  one: string
  question: Question
  source: LiveSource<Lists[K]>
  columns: readonly Column<Lists[K]>[]
  chips: readonly ChipsOf[]
  nameOf: (row: Lists[K]) => string
  to: (row: Lists[K]) => string
  /** Whether it is shown as it was last seen. */
  stale: (row: Lists[K]) => boolean
  /** The items of a row's menu. */
  menu?: ((row: Lists[K]) => ReactNode) | undefined
  /** What is said where it is known that there is nothing at all. */
  none?: ReactNode
}

export function ListPage<K extends keyof Lists>(props: ListPageProps<K>) {
  const { list, title, one, question, source, columns, chips, nameOf, to, stale, menu, none } = props
  const { q, sort, change } = question
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
        <DataTable<Lists[K]>
          name={list}
          label={title}
          columns={columns}
          source={heard(source)}
          sort={sort}
          onSort={(by) => change({ sort: by })}
          nameOf={nameOf}
          to={to}
          stale={stale}
          {...(menu && { menu })}
          empty={
            none ?? <NothingFits what={list} q={q} remotes={source.counts?.remotes} error={source.error} onClear={() => change({ q: '' })} />
          }
        />
      </div>
    </Page>
  )
}
