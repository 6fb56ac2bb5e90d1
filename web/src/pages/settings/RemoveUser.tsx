/** Removes a user, after their name was typed. */
import { Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import { endSession } from '~/shell/ending'
import { Sure } from '~/ui/Sure'

export function RemoveUser({ user, self, close }: { user: Schemas['User']; self: boolean; close: () => void }) {
  const queries = useQueryClient()
  const router = useRouter()
  const remove = useOnce(
    (_: void, key) =>
      unwrap(api.DELETE('/api/v1/users/{user}', { params: { path: { user: user.name }, header: { 'Idempotency-Key': key } } })),
    async () => {
      if (self) {
        endSession(queries, router, true)
        return
      }
      await queries.invalidateQueries({ queryKey: ['users'] })
      close()
    },
  )
  return (
    <Sure title={`Remove ${user.name}`} act="Remove" name={user.name} change={remove} close={close}>
      <Text size="sm">
        {self ? 'This is you: you are signed out at once. ' : ''}
        {many(user.sessions ?? 0, 'session')} and {many(user.tokens ?? 0, 'API token')} of <b className="name">{user.name}</b> end at
        once, and saved views and settings are gone. What they have done stays in the audit log.
      </Text>
    </Sure>
  )
}
