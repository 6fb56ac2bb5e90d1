/** [useSelection]: what is selected of a list, also after a look at one of its rows. */
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { Selected } from './selection'
import type { Identified } from './types'

interface Kept<R> {
  q: string
  rows: Selected<R>
}

/**
 * What is selected belongs to what was asked: nobody acts on what they cannot see. It is kept while somebody is away, for a few
 * minutes, until it is about something else, or they sign out.
 */
export function useSelection<R extends Identified>(list: string, q: string): [Selected<R>, (rows: Selected<R>) => void] {
  const queries = useQueryClient()
  const key = ['selected', list]
  const [kept, keep] = useState<Kept<R>>(() => queries.getQueryData(key) ?? { q, rows: new Map() })
  const [none] = useState<Selected<R>>(() => new Map())
  const select = (rows: Selected<R>) => {
    const now = { q, rows }
    queries.setQueryData(key, now)
    keep(now)
  }
  return [kept.q === q ? kept.rows : none, select]
}
