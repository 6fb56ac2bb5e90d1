/** Sets somebody's password. Their sessions end with the old one. */
import { Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { Form } from './Form'
import { NewPassword } from './NewPassword'

export function SetPassword({ user, close }: { user: Schemas['User']; close: () => void }) {
  const queries = useQueryClient()
  const [password, setPassword] = useState('')
  const put = useOnce(
    (wish: string, key) =>
      unwrap(
        api.PUT('/api/v1/users/{user}/password', {
          params: { path: { user: user.name }, header: { 'Idempotency-Key': key } },
          body: { new: wish },
        }),
      ),
    async () => {
      close()
      notifications.show({ color: 'muster', message: `The password of ${user.name} is set; their sessions have ended.` })
      await queries.invalidateQueries({ queryKey: ['users'] })
    },
  )
  const weak = put.error instanceof Refusal && put.error.code === 'weak_password' ? put.error.message : undefined
  return (
    <Form
      title={`Password of ${user.name}`}
      act="Set it"
      error={weak ? null : put.error}
      pending={put.isPending}
      submit={() => put.mutate(password)}
      close={close}
    >
      <Text size="sm" className="quiet">
        All sessions of <b className="name">{user.name}</b> end. Their API tokens and their second factor go on.
      </Text>
      <NewPassword value={password} change={setPassword} error={weak} />
    </Form>
  )
}
