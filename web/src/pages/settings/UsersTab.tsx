/** Who has an account, what they may, and what an administrator does about it. */
import { Badge, Button, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconPlus } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import { Grants } from '~/pages/account/Grants'
import { useSession } from '~/shell/session'
import { Blocked } from '~/ui/Blocked'
import { ProblemView } from '~/ui/Problem'
import { Row, Rows } from '~/ui/Rows'
import { Ago } from '~/ui/Time'
import { AddUser } from './AddUser'
import { FactorOff } from './FactorOff'
import { RemoveUser } from './RemoveUser'
import { SetPassword } from './SetPassword'
import { UserRoles } from './UserRoles'

type User = Schemas['User']
type Asked = 'roles' | 'password' | 'factor' | 'remove'

export function UsersTab() {
  const users = useQuery({
    queryKey: ['users'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/users', { signal })),
  })
  const [adding, setAdding] = useState(false)
  return (
    <Stack>
      <Group justify="space-between">
        <Text size="sm" className="quiet">
          {users.data ? many(users.data.items.length, 'user') : ' '}
        </Text>
        <Button size="compact-sm" leftSection={<IconPlus size={14} />} onClick={() => setAdding(true)}>
          Add a user
        </Button>
      </Group>
      {users.error && <ProblemView error={users.error} again={() => void users.refetch()} />}
      {users.data ? (
        <Rows label="Users">
          {users.data.items.map((user) => (
            <UserItem key={user.id} user={user} />
          ))}
        </Rows>
      ) : (
        !users.error && <Skeleton h={140} aria-label="Loading" />
      )}
      {adding && <AddUser close={() => setAdding(false)} />}
    </Stack>
  )
}

function UserItem({ user }: { user: User }) {
  const session = useSession()
  const [asked, setAsked] = useState<Asked>()
  const self = user.name === session.user
  const close = () => setAsked(undefined)
  const press = (what: Asked, label: string, why?: string) => (
    <Blocked why={why}>
      <Button
        size="compact-sm"
        variant="default"
        aria-label={`${label}: ${user.name}`}
        onClick={() => setAsked(what)}
      >
        {label}
      </Button>
    </Blocked>
  )
  return (
    <Row
      title={
        <>
          <span className="name">{user.name}</span>
          {self && (
            <Badge size="sm" variant="light" tt="none">
              you
            </Badge>
          )}
          {user.totp && (
            <Badge size="sm" variant="light" color="green" tt="none">
              second factor
            </Badge>
          )}
        </>
      }
      actions={
        <>
          {press('roles', 'Roles')}
          {press('password', 'Password', self ? 'Your own you change in your account, with the present one.' : undefined)}
          {press(
            'factor',
            'Second factor off',
            self
              ? 'Your own you turn off in your account, with your password.'
              : user.totp
                ? undefined
                : 'There is no second factor: they sign in with the password alone.',
          )}
          {press('remove', 'Remove')}
        </>
      }
    >
      <span>
        <Grants grants={user.grants} />
      </span>
      <span>{user.last_sign_in ? <>signed in <Ago at={user.last_sign_in} /></> : 'never signed in'}</span>
      <span>{many(user.sessions ?? 0, 'session')}</span>
      <span>{many(user.tokens ?? 0, 'API token')}</span>
      {asked === 'roles' && <UserRoles user={user} self={self} close={close} />}
      {asked === 'password' && <SetPassword user={user} close={close} />}
      {asked === 'factor' && <FactorOff user={user} close={close} />}
      {asked === 'remove' && <RemoveUser user={user} self={self} close={close} />}
    </Row>
  )
}
