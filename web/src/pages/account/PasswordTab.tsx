/** Changing one's own password. All sessions end with it, this one too. */
import { PasswordInput, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { useWait, verdictOf } from '~/pages/sign-in/tries'
import { Wait } from '~/pages/sign-in/Wait'
import { endSession } from '~/shell/ending'
import { useSession } from '~/shell/session'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { Ago } from '~/ui/Time'

export function PasswordTab({ account }: { account: Schemas['Account'] | undefined }) {
  const { user } = useSession()
  const queries = useQueryClient()
  const router = useRouter()
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState('')
  const [again, setAgain] = useState('')
  const [different, setDifferent] = useState(false)
  const change = useOnce(
    (wish: { old: string; new: string }, key) =>
      unwrap(
        api.PUT('/api/v1/users/{user}/password', {
          params: { path: { user }, header: { 'Idempotency-Key': key } },
          body: wish,
        }),
      ),
    () => {
      endSession(queries, router)
      notifications.show({ color: 'muster', title: 'Your password is changed', message: 'Sign in with the new one.' })
    },
  )
  const wait = useWait(change)
  const refusal = change.error instanceof Refusal ? change.error : undefined
  const wrong = refusal?.code === 'wrong_password'
  const weak = refusal?.code === 'weak_password'
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        setDifferent(fresh !== again)
        if (fresh === again && wait === 0) change.mutate({ old, new: fresh })
      }}
    >
      <Stack maw={420}>
        <Text size="sm" className="quiet">
          All your sessions end with the old password, this one too: you sign in anew. API tokens go on.
          {account?.password_set && (
            <>
              {' '}
              It was last set <Ago at={account.password_set} />.
            </>
          )}
        </Text>
        {/* For the browser's own memory: whose password it is. */}
        <input type="text" autoComplete="username" value={user} readOnly hidden aria-hidden tabIndex={-1} />
        <PasswordInput
          label="Present password"
          autoComplete="current-password"
          value={old}
          onChange={(event) => setOld(event.currentTarget.value)}
          error={wrong ? 'This is not your present password.' : undefined}
          required
        />
        <PasswordInput
          label="New password"
          description="Ten letters or more."
          autoComplete="new-password"
          value={fresh}
          onChange={(event) => setFresh(event.currentTarget.value)}
          error={weak ? refusal.message : undefined}
          required
        />
        <PasswordInput
          label="New password, again"
          autoComplete="new-password"
          value={again}
          onChange={(event) => {
            setAgain(event.currentTarget.value)
            setDifferent(false)
          }}
          error={different ? 'This is not the same password.' : undefined}
          required
        />
        <Wait seconds={wait} />
        {change.error && !wrong && !weak && verdictOf(change.error).kind !== 'wait' && <ProblemView error={change.error} />}
        <Button type="submit" loading={change.isPending} disabled={wait > 0} style={{ alignSelf: 'flex-start' }}>
          Change my password
        </Button>
      </Stack>
    </form>
  )
}
