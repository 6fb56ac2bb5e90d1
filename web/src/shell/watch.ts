/**
 * Notices what became of the session elsewhere: signed out or in another window, roles changed, ended by an
 * administrator. Asked when this window is looked at again, and once a minute while it is.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { carry } from '~/api/client'
import { sessionQuery } from '~/api/session'
import type { Session } from '~/api/types'
import { endSession } from './ending'

const EVERY_MS = 60_000
/** Focus and visibility come together, and often. */
const AT_MOST_MS = 2000

/** What has to be done about a session that reads so now. */
export function verdict(had: Session | null, now: Session | null): 'same' | 'ended' | 'began' | 'another' | 'changed' {
  if (had === null) return now === null ? 'same' : 'began'
  if (now === null) return 'ended'
  if (had.user !== now.user || had.instance !== now.instance) return 'another'
  const told = (session: Session) => JSON.stringify([session.grants, session.warnings, session.version])
  return told(had) === told(now) ? 'same' : 'changed'
}

/** Watches, on whatever page. `began`: somebody is signed in now, where nobody was. */
export function useSessionWatch(began: () => void): void {
  const queries = useQueryClient()
  const router = useRouter()
  useEffect(() => {
    let asked = Date.now()
    let gone = false
    const look = async () => {
      if (document.visibilityState !== 'visible' || Date.now() - asked < AT_MOST_MS) return
      asked = Date.now()
      const had = queries.getQueryData(sessionQuery.queryKey) ?? null
      // That nobody answers says nothing about the session.
      const now = await askAnew().catch(() => undefined)
      if (gone || now === undefined || had !== (queries.getQueryData(sessionQuery.queryKey) ?? null)) return
      switch (verdict(had, now)) {
        case 'same':
          break
        case 'ended':
          endSession(queries, router)
          break
        case 'began':
          queries.setQueryData(sessionQuery.queryKey, now)
          began()
          break
        case 'another':
          // What the one before has seen is not for this one.
          location.reload()
          break
        case 'changed':
          queries.setQueryData(sessionQuery.queryKey, now)
          void router.invalidate()
          break
      }
    }
    const act = () => void look()
    const timer = setInterval(act, EVERY_MS)
    addEventListener('focus', act)
    addEventListener('pageshow', act)
    document.addEventListener('visibilitychange', act)
    return () => {
      gone = true
      clearInterval(timer)
      removeEventListener('focus', act)
      removeEventListener('pageshow', act)
      document.removeEventListener('visibilitychange', act)
    }
  }, [queries, router, began])
}

async function askAnew(): Promise<Session | null> {
  const now = await (sessionQuery.queryFn as () => Promise<Session | null>)()
  // The proof that changes carry is another one for another session.
  if (now) carry(now.csrf)
  return now
}
