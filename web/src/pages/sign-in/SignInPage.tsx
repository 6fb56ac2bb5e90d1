/** Sign-in: name and password, then where the person wanted to go. */
import { Button, Center, Paper, PasswordInput, Stack, TextInput, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { api, carry, unwrap } from '~/api/client'
import { sessionQuery } from '~/api/session'
import { ProblemView } from '~/ui/Problem'

const route = getRouteApi('/sign-in')

export default function SignInPage() {
  useDocumentTitle('Sign in · Muster')
  const { to } = route.useSearch()
  const router = useRouter()
  const queries = useQueryClient()
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const signIn = useMutation({
    mutationFn: () => unwrap(api.POST('/api/v1/session', { body: { user, password } })),
    onSuccess: async (session) => {
      carry(session.csrf)
      queries.setQueryData(sessionQuery.queryKey, session)
      await router.navigate({ href: to?.startsWith('/') && !to.startsWith('//') ? to : '/' })
    },
  })
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="lg" w="100%" maw={380}>
        <form
          onSubmit={(event) => {
            event.preventDefault()
            signIn.mutate()
          }}
        >
          <Stack>
            <Title order={1}>Sign in to Muster</Title>
            <TextInput label="Name" autoComplete="username" value={user} onChange={(e) => setUser(e.currentTarget.value)} required autoFocus />
            <PasswordInput label="Password" autoComplete="current-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} required />
            {signIn.error && <ProblemView error={signIn.error} />}
            <Button type="submit" loading={signIn.isPending}>
              Sign in
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  )
}
