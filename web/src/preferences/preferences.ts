/**
 * How the person likes things to be shown, kept by the server: [usePreference] for one thing of it, [usePreferences] for
 * all, [useChangePreferences] to change several at once. What is changed holds on screen at once; what the server then
 * refuses is taken back and said.
 */
import { notifications } from '@mantine/notifications'
import { MutationObserver, type MutationObserverOptions, queryOptions, useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useCallback } from 'react'
import { api, problemFrom, Refusal, unwrap } from '~/api/client'
import type { Schemas } from '~/api/types'
import { merged, type Patch, patchAt, within } from './merge'
import { resetFor, sayUnreadable } from './unreadable'

/** All of them. In `ui` stands whatever else a screen wants to remember. */
export type Preferences = Omit<Schemas['Preferences'], 'ui'> & { ui?: Record<string, unknown> }
export type SavedView = Schemas['SavedView']

const KEY = ['preferences'] as const
/** Until they were told, and where they cannot be had. */
const NOTHING: Preferences = {}

/** All of them. The page's frame asks for them before it shows anything, so that no list changes its columns later. */
export const preferencesQuery = queryOptions({
  queryKey: KEY,
  queryFn: ({ signal }): Promise<Preferences> => unwrap(api.GET('/api/v1/preferences', { signal })),
  staleTime: 30_000,
  retry: false,
})

/** Asks for them once, whether or not they can be had. */
export async function askPreferences(queries: QueryClient): Promise<void> {
  if (queries.getQueryState(KEY) !== undefined) return
  await queries.prefetchQuery(preferencesQuery)
}

/** All that is known of them; what was never set is absent. */
export function usePreferences(): Preferences {
  const queries = useQueryClient()
  const { data } = useQuery({
    ...preferencesQuery,
    // What is on its way to the server would look undone.
    refetchOnWindowFocus: () => queries.isMutating({ mutationKey: KEY }) === 0,
  })
  return data ?? NOTHING
}

const TRIES = 5

type Change = MutationObserverOptions<Preferences, Error, Patch<Preferences>>

function changeOf(queries: QueryClient): Change {
  return {
    mutationKey: KEY,
    // One after the other: they were made in this order.
    scope: { id: 'preferences' },
    networkMode: 'always',
    // The same patch twice is the same: it needs no key.
    mutationFn: (patch: Patch<Preferences>): Promise<Preferences> =>
      unwrap(api.PATCH('/api/v1/preferences', { body: patch as Schemas['PreferencesPatch'] })),
    retry: (failures, error) => failures < TRIES && error instanceof Refusal && error.status === 0,
    onMutate: async (patch) => {
      await queries.cancelQueries({ queryKey: KEY })
      queries.setQueryData<Preferences>(KEY, (had) => merged<Preferences>(had ?? NOTHING, patch))
    },
    onSuccess: (now) => {
      // The answer to a change knows nothing of those that wait behind it.
      if (queries.isMutating({ mutationKey: KEY }) === 1) queries.setQueryData(KEY, now)
    },
    onError: (error, patch) => {
      void queries.invalidateQueries({ queryKey: KEY })
      sayUnreadable(error, (reset) => {
        const change = () => new MutationObserver(queries, changeOf(queries))
        // Each says by itself what it could not do.
        change().mutate(reset).then(() => change().mutate(patch)).catch(sayUnkept)
      })
    },
  }
}

function useChange() {
  return useMutation(changeOf(useQueryClient()))
}

/** Changes several things at once. It ends when the server has written it down, and throws its refusal. */
export function useChangePreferences(): (patch: Patch<Preferences>) => Promise<Preferences> {
  const { mutateAsync } = useChange()
  return useCallback((patch) => mutateAsync(patch), [mutateAsync])
}

type At<T, K> = K extends keyof T ? NonNullable<T[K]> : never
type Held<T> = [value: T | undefined, set: (to: T | null) => void]
type Within<A extends keyof Preferences> = NonNullable<Preferences[A]>

/**
 * One thing of them, by the names that lead to it, and how to set it (`null` takes it away):
 *
 *     const [columns, setColumns] = usePreference('lists', 'guests', 'columns')
 *     const [density, setDensity] = usePreference('density')
 *     const [open, setOpen] = usePreference('ui', 'tree')          // `unknown`: the small free map
 *
 * `undefined` is: never set. The value stays the same object while it stays the same. That it could not be kept is said
 * in a corner of the window.
 */
export function usePreference<A extends keyof Preferences>(a: A): Held<Within<A>>
export function usePreference<A extends keyof Preferences, B extends keyof Within<A>>(a: A, b: B): Held<At<Within<A>, B>>
export function usePreference<
  A extends keyof Preferences,
  B extends keyof Within<A>,
  C extends keyof NonNullable<Within<A>[B]>,
>(a: A, b: B, c: C): Held<At<NonNullable<Within<A>[B]>, C>>
export function usePreference(...path: string[]): [unknown, (to: unknown) => void] {
  const value = within(usePreferences(), path)
  const { mutate } = useChange()
  const at = JSON.stringify(path)
  const set = useCallback(
    (to: unknown) => {
      const patch = patchAt(JSON.parse(at) as string[], to) as Patch<Preferences>
      mutate(patch, { onError: sayUnkept })
    },
    [mutate, at],
  )
  return [value, set]
}

/** Says that something is not remembered. */
export function sayUnkept(error: unknown): void {
  // That was said, with the way out.
  if (resetFor(error)) return
  const problem = problemFrom(error)
  notifications.show({
    id: 'preferences',
    color: 'yellow',
    title: 'This will not be remembered',
    message: [problem.detail ?? problem.title, problem.remedy].filter(Boolean).join('. '),
  })
}
