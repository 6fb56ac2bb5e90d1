/** Suggestions at the place where somebody writes: the keys and fixed values at once, what there is in the fleet as the server tells it. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { api, unwrap } from '~/api/client'
import type { Schemas } from '~/api/types'
import { useLinks } from '~/live/hooks'
import { complete, type Suggestion } from './complete'
import { byteAt, unitAt } from './spans'
import { type ListName, VOCABULARY } from './vocabulary'

type Told = Omit<Schemas['Suggestion'], 'replace'> & { replace: readonly number[] }

const NONE: readonly Suggestion[] = []

/** What is shown already stays where it is; what else the server knows comes after it. */
export function joined(
  here: readonly Suggestion[],
  q: string,
  told: readonly Told[] | undefined,
): readonly Suggestion[] {
  if (!told) return here
  const have = new Set(here.map((one) => one.text.toLowerCase()))
  const more = told.flatMap(({ replace: [from = 0, to = from], text, what, type }) =>
    have.has(text.toLowerCase()) || type === 'field'
      ? []
      : [{ replace: [unitAt(q, from), unitAt(q, to)] as const, text, what }],
  )
  return more.length === 0 ? here : [...here, ...more]
}

/** `at`: where the cursor stands; `undefined`: nothing is suggested. */
export function useSuggestions(list: ListName, q: string, at: number | undefined): readonly Suggestion[] {
  const links = useLinks()
  const here = useMemo(() => {
    if (at === undefined) return NONE
    const remotes = [...(links?.values() ?? [])].map((row) => row.name)
    return complete(VOCABULARY[list], q, at, (key) => (key === 'remote' || (list === 'remotes' && key === 'name') ? remotes : []))
  }, [links, list, q, at])
  const { data } = useQuery({
    queryKey: ['complete', list, q, at],
    queryFn: ({ signal }) => {
      const params = { path: { list }, query: { q, at: byteAt(q, at ?? q.length) } }
      return unwrap(api.GET('/api/v1/query/{list}/complete', { params, signal }))
    },
    enabled: at !== undefined && q !== '',
    staleTime: 10_000,
    gcTime: 30_000,
    retry: false,
  })
  return useMemo(() => (at === undefined ? NONE : joined(here, q, data?.suggestions)), [at, here, q, data])
}
