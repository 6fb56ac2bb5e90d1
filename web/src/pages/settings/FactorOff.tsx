/** Turns off the second factor of somebody who has lost it. */
import { Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { Sure } from '~/ui/Sure'

export function FactorOff({ user, close }: { user: Schemas['User']; close: () => void }) {
  const queries = useQueryClient()
  const end = useOnce(
    (_: void, key) =>
      unwrap(
        api.DELETE('/api/v1/users/{user}/totp', { params: { path: { user: user.name }, header: { 'Idempotency-Key': key } } }),
      ),
    async () => {
      await queries.invalidateQueries({ queryKey: ['users'] })
      close()
    },
  )
  return (
    <Sure title={`Second factor of ${user.name}`} act="Turn it off" change={end} close={close}>
      <Text size="sm">
        <b className="name">{user.name}</b> signs in with the password alone from then on; their recovery codes end. Be sure that it is
        they who ask: whoever has their password can sign in then.
      </Text>
    </Sure>
  )
}
