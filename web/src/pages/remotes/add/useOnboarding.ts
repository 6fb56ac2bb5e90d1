/** An onboarding under way: what the server holds of it, and the steps that bring it on. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { Wishes } from '~/api/once'
import type { Schemas } from '~/api/types'
import type { Onboarding } from './onboarding'

const keyOf = (id: string | undefined) => ['onboarding', id] as const

export type Begin = Schemas['OnboardingRequest']

/** `id`: the one under way. `onState`: the server has taken a step. */
export function useOnboarding(id: string | undefined, onState: (state: Onboarding) => void) {
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: keyOf(id),
    queryFn: () => unwrap(api.GET('/api/v1/onboardings/{id}', { params: { path: { id: id ?? '' } } })),
    enabled: id !== undefined,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  })
  const taken = (state: Onboarding) => {
    queries.setQueryData(keyOf(state.id), state)
    onState(state)
  }
  // A step that was refused may have set the server back: what it holds now is asked for, not guessed.
  const refused = () => queries.invalidateQueries({ queryKey: keyOf(id) })
  const path = { id: id ?? '' }

  const begin = useMutation({
    mutationFn: async (body: Begin) => {
      if (id !== undefined) await end(id)
      return unwrap(api.POST('/api/v1/onboardings', { body }))
    },
    onSuccess: taken,
  })
  const trust = useMutation({
    mutationFn: (fingerprint: string) =>
      unwrap(api.POST('/api/v1/onboardings/{id}/trust', { params: { path }, body: { fingerprint } })),
    onSuccess: taken,
    onError: refused,
  })
  const signIn = useMutation({
    mutationFn: (body: Schemas['SignIn']) =>
      unwrap(api.POST('/api/v1/onboardings/{id}/sign-in', { params: { path }, body })),
    onSuccess: taken,
    onError: refused,
    // A password lies nowhere longer than it must.
    gcTime: 0,
  })
  const secondFactor = useMutation({
    mutationFn: (body: Schemas['SecondFactor']) =>
      unwrap(api.POST('/api/v1/onboardings/{id}/second-factor', { params: { path }, body })),
    onSuccess: taken,
    onError: refused,
    gcTime: 0,
  })
  const state = query.data?.id === id ? query.data : undefined
  return { state, lost: query.error, begin, trust, signIn, secondFactor }
}

export type Flow = ReturnType<typeof useOnboarding>

/** Ends an onboarding: nothing was saved. One that has ended already is no trouble. */
export async function end(id: string): Promise<void> {
  try {
    await unwrap(api.DELETE('/api/v1/onboardings/{id}', { params: { path: { id } } }))
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 404) throw error
  }
}

/** What an onboarding is being used for, for as long as that has no answer: it may not be ended under it. */
export const inUse = (id: string) => ['onboarding', 'in use', id]

/** Ends an onboarding when its page or dialog is left, unless it was made something of: nobody stays signed in for nothing. */
export function useEndWhenLeft(id: string | undefined, used: boolean): void {
  const queries = useQueryClient()
  const there = useRef(false)
  const latest = useRef({ id, used })
  useEffect(() => {
    latest.current = { id, used }
  })
  useEffect(() => {
    there.current = true
    return () => {
      there.current = false
      // What is taken away and put back at once was not left.
      setTimeout(() => {
        const { id: left, used: spent } = latest.current
        if (there.current || left === undefined || spent || queries.isMutating({ mutationKey: inUse(left) }) > 0) return
        // It ends by itself as well, only later.
        end(left).catch(() => undefined)
      })
    }
  }, [queries])
}

const PAUSE_MS = 2000
const PATIENCE_MS = 180_000

/** The last step. What is made on a host may take longer than a browser waits: the same wish is asked after again. */
export class Finishing {
  #wishes = new Wishes()

  async finish(id: string, body: Schemas['Finish']): Promise<Schemas['Finished']> {
    const until = Date.now() + PATIENCE_MS
    const about = { deed: 'finish', things: [id], said: 'it was added' }
    for (;;) {
      try {
        return await this.#wishes.send(body, about, (key) =>
          unwrap(api.POST('/api/v1/onboardings/{id}/finish', { params: { path: { id }, header: { 'Idempotency-Key': key } }, body })),
        )
      } catch (error) {
        const doing = error instanceof Refusal && error.code === 'in_progress'
        if (!doing || Date.now() > until) throw error
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
  }
}
