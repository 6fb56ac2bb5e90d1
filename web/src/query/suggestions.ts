/** Suggestions at the place where somebody writes, with names of the fleet that are at hand. */
import { useMemo } from 'react'
import { useLinks } from '~/live/hooks'
import { complete, type Suggestion } from './complete'
import { type ListName, VOCABULARY } from './vocabulary'

const NONE: readonly Suggestion[] = []

/** `at`: where the cursor stands; `undefined`: nothing is suggested. */
export function useSuggestions(list: ListName, q: string, at: number | undefined): readonly Suggestion[] {
  const links = useLinks()
  return useMemo(() => {
    if (at === undefined) return NONE
    const remotes = [...(links?.values() ?? [])].map((row) => row.name)
    return complete(VOCABULARY[list], q, at, (key) => (key === 'remote' || (list === 'remotes' && key === 'name') ? remotes : []))
  }, [links, list, q, at])
}
