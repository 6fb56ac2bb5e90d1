/** What stands above a list: its query box, saved views, columns, and what there is by state; or what was selected. */
import { Group, Text } from '@mantine/core'
import { memo, type ReactNode, useCallback, useId } from 'react'
import type { Counts } from '~/api/types'
import { many } from '~/format/format'
import { ColumnsMenu } from '~/table/ColumnsMenu'
import type { Column, Identified } from '~/table/types'
import { Chips, type ChipsOf } from './Chips'
import classes from './ListBar.module.css'
import { Partial } from './Partial'
import { QueryBox } from './QueryBox'
import { isAboutQuery } from './refused'
import { askCounts } from './counts'
import { Views } from './Views'
import type { ListName } from './vocabulary'
import { Wrong } from './Wrong'

export interface ListBarProps<R extends Identified> {
  list: ListName
  /** One of them: `guest`. */
  one: string
  q: string
  sort: string
  onChange: (to: { q?: string; sort?: string }) => void
  columns: readonly Column<R>[]
  /** How many match; `undefined`: not known yet. */
  total: number | undefined
  counts: Counts | undefined
  /** These are of what was asked before. */
  pending?: boolean
  error: unknown
  chips: readonly ChipsOf[]
  /** In the place of the counts while something is selected. */
  selection?: ReactNode
  /** Before the query box. */
  before?: ReactNode
}

function Bar<R extends Identified>(props: ListBarProps<R>) {
  const { list, one, q, sort, onChange, columns, total, counts, pending = false, error, chips, selection, before } = props
  const id = useId()
  const write = useCallback((to: string) => onChange({ q: to }), [onChange])
  const wrong = isAboutQuery(error) ? error.problem : undefined
  const number = total === undefined || pending ? undefined : many(total, one)
  return (
    <div className={classes.bar}>
      <Group gap="xs" wrap="nowrap">
        {before}
        <QueryBox list={list} q={q} onChange={write} wrong={wrong} described={id} />
        <Views list={list} q={q} sort={sort} onPick={onChange} />
        <ColumnsMenu name={list} columns={columns} />
      </Group>
      {wrong ? (
        <Wrong id={id} problem={wrong} />
      ) : (
        <div className={classes.line}>
          {selection ?? (
            <>
              <Text size="sm" component="span" role="status" className={classes.total} title={number}>
                {number}
              </Text>
              <Chips
                what={list}
                q={q}
                onChange={write}
                counts={counts}
                pending={pending}
                groups={chips}
                ask={(rest, signal) => askCounts(list, rest, signal)}
              />
              <Partial remotes={counts?.remotes} what={list} />
            </>
          )}
        </div>
      )}
    </div>
  )
}

/** Drawn anew only when something in it is another: not with every row of the list below. */
export const ListBar = memo(Bar) as typeof Bar
