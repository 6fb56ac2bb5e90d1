/** Sign-in: name and password, the second factor where it is on, then back to where the person wanted to go. */
import { Alert, Anchor, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useCallback, useEffect, useRef, useState } from 'react'
import { api, carry, prefix, unwrap } from '~/api/client'
import { sessionQuery } from '~/api/session'
import type { Session } from '~/api/types'
import { wayBack } from '~/shell/ending'
import { useSessionWatch } from '~/shell/watch'
import { Button } from '~/ui/Button'
import { Command } from '~/ui/Command'
import { ProblemView } from '~/ui/Problem'
import { Gate } from './Gate'
import { useWait, verdictOf } from './tries'
import { Wait } from './Wait'

const route = getRouteApi('/sign-in')

export default function SignInPage() {
  const { to } = route.useSearch()
  const router = useRouter()
  const queries = useQueryClient()
  const onward = useCallback(() => router.history.replace(prefix + wayBack(to)), [router, to])
  useSessionWatch(onward)
  // Who is signed in already has nothing to do here.
  const { data: session } = useQuery(sessionQuery)
  useEffect(() => {
    if (session) onward()
  }, [session, onward])
  const enter = (begun: Session) => {
    carry(begun.csrf)
    queries.setQueryData(sessionQuery.queryKey, begun)
  }
  return (
    <Gate title="Sign in to Muster">
      <NobodyYet />
      <SignInForm enter={enter} />
    </Gate>
  )
}

/** On a server that nobody governs yet no sign-in can succeed. */
function NobodyYet() {
  const { data } = useQuery({
    queryKey: ['setup'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/setup', { signal })),
    refetchInterval: 15_000,
  })
  if (!data?.needed) return null
  return (
    <Alert color="blue" icon={<IconInfoCircle size={18} />} title="Nobody has set up this Muster yet">
      <Stack gap={6}>
        <Text size="sm">
          The set-up link makes the first administrator. Muster printed it when it started, or wrote it to the file{' '}
          <code>setup-link</code> in its data directory. It works once and for an hour; on the server this makes a new one:
        </Text>
        <Command lines={['muster config setup-link']} />
      </Stack>
    </Alert>
  )
}

export function SignInForm({ enter }: { enter: (session: Session) => void }) {
  const [user, setUser] = useState('')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [wantsCode, setWantsCode] = useState(false)
  const codeField = useRef<HTMLInputElement>(null)
  const passwordField = useRef<HTMLInputElement>(null)
  const signIn = useMutation({
    mutationFn: () =>
      unwrap(api.POST('/api/v1/session', { body: wantsCode ? { user, password, code: code.trim() } : { user, password } })),
    onSuccess: enter,
    onError: (error) => {
      const verdict = verdictOf(error)
      if (verdict.kind === 'code') {
        setWantsCode(true)
        setCode('')
      } else if (verdict.kind === 'password') {
        setWantsCode(false)
        setPassword('')
        passwordField.current?.focus()
      }
    },
  })
  const verdict = signIn.error ? verdictOf(signIn.error) : undefined
  const wait = useWait(signIn)
  useEffect(() => {
    if (wantsCode) codeField.current?.focus()
  }, [wantsCode, signIn.failureCount])
  const anew = () => {
    signIn.reset()
    setWantsCode(false)
    setCode('')
    setPassword('')
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (wait === 0) signIn.mutate()
      }}
    >
      <Stack>
        <TextInput
          label="Name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={user}
          onChange={(event) => setUser(event.currentTarget.value)}
          readOnly={wantsCode}
          required
          autoFocus
        />
        <PasswordInput
          ref={passwordField}
          label="Password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          readOnly={wantsCode}
          required
          error={verdict?.kind === 'password' ? 'Name or password is not right.' : undefined}
        />
        {wantsCode && (
          <TextInput
            ref={codeField}
            label="Code"
            description="The six digits of your authenticator app. If you do not have it: one of your recovery codes, each of which works once."
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            required
            error={verdict?.kind === 'code' && verdict.wrong ? 'This code is not right, or was used already.' : undefined}
          />
        )}
        <Wait seconds={wait} />
        {verdict?.kind === 'other' && <ProblemView error={signIn.error} />}
        {verdict?.kind === 'code' && verdict.unreadable && <ProblemView error={signIn.error} title="This code could not be compared" />}
        <Button type="submit" loading={signIn.isPending} disabled={wait > 0}>
          Sign in
        </Button>
        {wantsCode && (
          <Anchor component="button" type="button" size="sm" onClick={anew}>
            Begin anew
          </Anchor>
        )}
      </Stack>
    </form>
  )
}
