/** What a user may see and do. Holds from their next request on. */
import { Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import { sessionQuery } from '~/api/session'
import type { Schemas } from '~/api/types'
import { GrantsEditor } from '~/pages/account/Grants'
import { faultOf, type Grant, same } from '~/pages/account/roles'
import { Form } from './Form'

export function UserRoles({ user, self, close }: { user: Schemas['User']; self: boolean; close: () => void }) {
  const queries = useQueryClient()
  const router = useRouter()
  const [grants, setGrants] = useState<Grant[]>(user.grants)
  const put = useOnce(
    (wish: Grant[], key) =>
      unwrap(
        api.PUT('/api/v1/users/{user}/grants', {
          params: { path: { user: user.name }, header: { 'Idempotency-Key': key } },
          body: { grants: wish },
        }),
      ),
    async () => {
      close()
      await queries.invalidateQueries({ queryKey: ['users'] })
      if (!self) return
      // What one may oneself has changed: all pages follow.
      await queries.fetchQuery({ ...sessionQuery, staleTime: 0 })
      await router.invalidate()
    },
  )
  return (
    <Form
      title={`Roles of ${user.name}`}
      act="Save"
      error={put.error}
      pending={put.isPending}
      ready={faultOf(grants) === undefined && !same(grants, user.grants)}
      submit={() => put.mutate(grants)}
      close={close}
    >
      <Text size="sm" className="quiet">
        {self ? 'These are your own roles. ' : ''}It holds from the next request on; open windows follow within a second. API tokens
        lose what their owner loses.
      </Text>
      <GrantsEditor value={grants} change={setGrants} />
    </Form>
  )
}
