/** An onboarding under way: what the server holds of it, and the steps that bring it on. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, newKey, Refusal, unwrap } from '~/api/client'
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

const PAUSE_MS = 2000
const PATIENCE_MS = 180_000

/** The last step. What is made on a host may take longer than a browser waits: the same wish is asked after again. */
export class Finishing {
  #key = newKey()

  async finish(id: string, body: Schemas['Finish']): Promise<Schemas['Finished']> {
    const until = Date.now() + PATIENCE_MS
    for (;;) {
      try {
        const finished = await unwrap(
          api.POST('/api/v1/onboardings/{id}/finish', {
            params: { path: { id }, header: { 'Idempotency-Key': this.#key } },
            body,
          }),
        )
        this.#key = newKey()
        return finished
      } catch (error) {
        const code = error instanceof Refusal ? error.code : ''
        const open = code === 'in_progress' || code === 'console:no_answer'
        // A refusal is final for this wish: the next try is another one.
        if (!open) this.#key = newKey()
        if (code !== 'in_progress' || Date.now() > until) throw error
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
  }
}
