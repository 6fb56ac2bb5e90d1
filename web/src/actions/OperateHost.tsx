/** Holds the dialog in which actions are confirmed, for all screens; stands once in the shell. */
import { useRouter } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useSyncExternalStore } from 'react'
import { useSession } from '~/shell/session'
import { askAs } from './ask'
import { closeDialog, current, subscribe } from './operate'
import { goBy } from './toast'

const OperateDialog = lazy(() => import('./OperateDialog'))

export function OperateHost() {
  const router = useRouter()
  const { user } = useSession()
  useEffect(() => askAs(user), [user])
  const asked = useSyncExternalStore(subscribe, current)
  useEffect(() => goBy((path) => void router.navigate({ href: path })), [router])
  if (!asked) return null
  return (
    <Suspense fallback={null}>
      <OperateDialog key={asked.number} wish={asked.wish} close={closeDialog} />
    </Suspense>
  )
}
