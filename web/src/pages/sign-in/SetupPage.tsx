/** The one-time set-up link: makes the administrator of a server that has none, and signs them in. */
import { Alert, PasswordInput, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useRef, useState, useSyncExternalStore } from 'react'
import { api, carry, Refusal, unwrap } from '~/api/client'
import { sessionQuery } from '~/api/session'
import { setupLink } from '~/shell/setup-link'
import { Button } from '~/ui/Button'
import { Command } from '~/ui/Command'
import { LinkButton } from '~/ui/LinkButton'
import { ProblemView } from '~/ui/Problem'
import { Gate } from './Gate'
import { useWait, verdictOf } from './tries'
import { Wait } from './Wait'

export default function SetupPage() {
  const secret = useSyncExternalStore(setupLink.subscribe, setupLink.secret)
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/setup', { signal })),
  })
  return (
    <Gate title="Set up Muster" wide>
      {setup.data?.needed === false ? (
        <Already />
      ) : setup.data ? (
        secret ? (
          <Form key={secret} secret={secret} />
        ) : (
          <NoSecret />
        )
      ) : setup.error ? (
        <ProblemView error={setup.error} again={() => void setup.refetch()} />
      ) : (
        <Skeleton h={180} aria-label="Loading" />
      )}
    </Gate>
  )
}

function Already() {
  return (
    <Stack>
      <Text>This Muster has an administrator: the set-up link was used, or was not needed.</Text>
      <Text size="sm" className="quiet">
        Whoever has no account yet gets one from an administrator (Settings → Users).
      </Text>
      <LinkButton to="/sign-in">To the sign-in</LinkButton>
    </Stack>
  )
}

function NoSecret() {
  return (
    <Stack>
      <Text>This address lacks the secret that makes you the administrator: it stands behind the # of the set-up link.</Text>
      <Text size="sm">
        Open the whole link again. Muster printed it when it started, or wrote it to the file <code>setup-link</code> in its
        data directory. It works once and for an hour; on the server this makes a new one:
      </Text>
      <Command lines={['muster config setup-link']} />
    </Stack>
  )
}

function Form({ secret }: { secret: string }) {
  const router = useRouter()
  const queries = useQueryClient()
  const [user, setUser] = useState('admin')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [different, setDifferent] = useState(false)
  const repeated = useRef<HTMLInputElement>(null)
  const make = useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/v1/setup', { body: { secret, user, password } })),
    onSuccess: async (session) => {
      carry(session.csrf)
      queries.clear()
      queries.setQueryData(sessionQuery.queryKey, session)
      setupLink.forget()
      await router.navigate({ to: '/', replace: true })
    },
    onError: (error) => {
      if (error instanceof Refusal && error.status === 409) void queries.invalidateQueries({ queryKey: ['setup'] })
    },
  })
  const refusal = make.error instanceof Refusal ? make.error : undefined
  const wait = useWait(make)
  const weak = refusal?.code === 'weak_password' ? refusal.message : undefined
  const name = refusal?.code === 'name_taken' || (refusal?.code === 'invalid' && refusal.message.includes('name')) ? refusal.message : undefined
  const spent = refusal?.code === 'setup_secret'
  const other = make.error && !weak && !name && !spent && verdictOf(make.error).kind !== 'wait'
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        setDifferent(password !== again)
        if (password !== again) repeated.current?.focus()
        else if (wait === 0) make.mutate()
      }}
    >
      <Stack>
        <Text>You become the administrator. Everybody else gets an account from you.</Text>
        <TextInput
          label="Name"
          description="What you sign in with."
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
          error={name}
          required
        />
        <PasswordInput
          label="Password"
          description="Ten letters or more. Nobody can read it again; an administrator can set another one."
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={weak}
          required
          autoFocus
        />
        <PasswordInput
          ref={repeated}
          label="Password, again"
          autoComplete="new-password"
          value={again}
          onChange={(event) => {
            setAgain(event.currentTarget.value)
            setDifferent(false)
          }}
          error={different ? 'This is not the same password.' : undefined}
          required
        />
        {spent && (
          <Alert color="red" role="alert" icon={<IconInfoCircle size={18} />} title="This set-up link does not work any more">
            <Stack gap={6}>
              <Text size="sm">
                It works once and for an hour, and ends when a new one is made. On the server this makes a new one; open it here:
              </Text>
              <Command lines={['muster config setup-link']} />
            </Stack>
          </Alert>
        )}
        <Wait seconds={wait} />
        {other && <ProblemView error={make.error} />}
        <Button type="submit" loading={make.isPending} disabled={wait > 0}>
          Make me the administrator
        </Button>
      </Stack>
    </form>
  )
}
