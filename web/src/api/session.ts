/** Who is signed in, and what they may do. */
import { queryOptions } from '@tanstack/react-query'
import { api, carry, Refusal, unwrap } from './client'
import type { Role, Session } from './types'

/** `null`: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Session | null> => {
    try {
      const session = await unwrap(api.GET('/api/v1/session'))
      carry(session.csrf)
      return session
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        carry(undefined)
        return null
      }
      throw error
    }
  },
  staleTime: Infinity,
})

const RANK: Record<Role, number> = { viewer: 0, operator: 1, provisioner: 2, administrator: 3 }

/** Whether somebody has this role, or a wider one, on a remote (`null`: on Muster itself; `any`: on some remote). */
export function has(session: Session, role: Role, remote: number | 'any' | null): boolean {
  return session.grants.some(
    (grant) =>
      RANK[grant.role] >= RANK[role] &&
      (grant.scope.kind === 'all' || remote === 'any' || (remote !== null && grant.scope.value === remote)),
  )
}
