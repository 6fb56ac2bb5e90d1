/** Signing out. What it could not do is said in a corner of the window: whoever leaves should know that they are still in. */
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useCallback } from 'react'
import { api, problemFrom, Refusal, unwrap } from '~/api/client'
import { endSession } from './ending'

export function useSignOut(): () => void {
  const queries = useQueryClient()
  const router = useRouter()
  return useCallback(() => {
    void unwrap(api.DELETE('/api/v1/session'))
      .catch((error: unknown) => {
        // It has ended already.
        if (error instanceof Refusal && error.status === 401) return
        throw error
      })
      .then(
        () => endSession(queries, router, true),
        (error: unknown) => {
          const problem = problemFrom(error)
          notifications.show({ color: 'red', title: 'You are still signed in', message: problem.detail ?? problem.title })
        },
      )
  }, [queries, router])
}
