/** [useQuestion]: the query and order of a list, in the address; the order is remembered. */
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useEffect } from 'react'
import { usePreference } from '~/preferences/preferences'

export interface Question {
  q: string
  sort: string
  change: (to: Change) => void
}

interface Change {
  q?: string
  sort?: string
  /** What is selected: it belongs to what was asked. */
  picked?: string
}

/** `search`: what the address of the page says. */
export function useQuestion(list: string, search: { q?: string | undefined; sort?: string | undefined }): Question {
  const navigate = useNavigate()
  const [remembered, remember] = usePreference('lists', list, 'sort')
  const { q = '', sort } = search
  const change = useCallback(
    (to: Change) => {
      if (to.sort !== undefined && to.sort !== (remembered ?? '')) remember(to.sort === '' ? null : to.sort)
      void navigate({
        to: '.',
        search: (had: Record<string, string | undefined>) => ({ ...had, ...(to.q === undefined ? {} : { picked: undefined }), ...to }),
        // Writing is one thing, however many keys it takes: "back" leaves the list.
        replace: true,
        resetScroll: false,
      } as Parameters<typeof navigate>[0])
    },
    [navigate, remember, remembered],
  )
  // The address says all of it, so that it shows the same to somebody else.
  const missing = sort === undefined && remembered !== undefined && remembered !== ''
  useEffect(() => {
    if (missing) change({ sort: remembered })
  }, [missing, remembered, change])
  return { q, sort: sort ?? remembered ?? '', change }
}
