/** Signing out. What it could not do is said in a corner of the window: whoever leaves should know that they are still in. */
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useCallback } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { once } from '~/api/once'
import { sayNotDone } from '~/ui/notDone'
import { endSession } from './ending'

const ABOUT = { deed: 'sign out', things: ['session'], said: 'you are signed out' }

export function useSignOut(): () => void {
  const queries = useQueryClient()
  const router = useRouter()
  return useCallback(() => {
    const signOut = (): void => {
      once(undefined, ABOUT, (key) => unwrap(api.DELETE('/api/v1/session', { headers: { 'Idempotency-Key': key } })))
        .catch((error: unknown) => {
          // It has ended already.
          if (error instanceof Refusal && error.status === 401) return
          throw error
        })
        .then(
          () => endSession(queries, router, true),
          (error: unknown) => void sayNotDone(error, 'You are still signed in', signOut),
        )
    }
    signOut()
  }, [queries, router])
}
