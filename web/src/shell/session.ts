/** Who is signed in, for everything behind the sign-in. */
import { useRouteContext } from '@tanstack/react-router'
import { has } from '~/api/session'
import type { Role, Session } from '~/api/types'

export function useSession(): Session {
  return useRouteContext({ from: '/inside' }).session
}

/** Whether the person has this role, or a wider one, on a remote (`null`: on Muster itself; `any`: on some remote). */
export function useMay(role: Role, remote: number | 'any' | null): boolean {
  return has(useSession(), role, remote)
}
