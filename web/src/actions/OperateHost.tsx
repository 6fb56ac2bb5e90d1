/** Holds the dialog in which actions are confirmed, and what belongs to notices, for all screens; stands once in the shell. */
import { useRouter } from '@tanstack/react-router'
import { lazy, useEffect, useSyncExternalStore } from 'react'
import { Over } from '~/shell/Over'
import { useSession } from '~/shell/session'
import { askAs } from './ask'
import { MoreNotices } from './MoreNotices'
import { closeDialog, current, subscribe } from './operate'
import { goBy } from './toast'

const OperateDialog = lazy(() => import('./OperateDialog'))

export function OperateHost() {
  const router = useRouter()
  const { user } = useSession()
  useEffect(() => askAs(user), [user])
  const asked = useSyncExternalStore(subscribe, current)
  useEffect(() => goBy((path) => void router.navigate({ href: path })), [router])
  return (
    <>
      <MoreNotices />
      {asked && (
        <Over of={asked.number} close={closeDialog}>
          <OperateDialog key={asked.number} wish={asked.wish} close={closeDialog} />
        </Over>
      )}
    </>
  )
}
