/** Signing in at a remote for one deed: certificate where it is not trusted, password or token, second factor. */
import { Button, Group, Loader, Stack, Text } from '@mantine/core'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { Remote } from '~/api/types'
import { ProblemView } from '~/ui/Problem'
import { type Onboarding } from '../add/onboarding'
import { CertificateStep, type Draft, EMPTY, SecondFactorStep, SignInStep } from '../add/steps'
import { Trouble } from '../add/Trouble'
import { useEndWhenLeft, useOnboarding } from '../add/useOnboarding'

export function SignInFor({
  remote,
  what,
  back,
  onSignedIn,
  pending,
  error,
  otherwise,
}: {
  remote: Remote
  what: string
  back: () => void
  /** With the id of the onboarding in which somebody has signed in. */
  onSignedIn: (id: string) => void
  pending: boolean
  error: unknown
  /** What may be done without. */
  otherwise: ReactNode
}) {
  const [id, setId] = useState<string>()
  const [draft, setDraft] = useState<Draft>(EMPTY)
  const hear = (state: Onboarding) => {
    setId(state.id)
    if (state.step === 'finish') onSignedIn(state.id)
  }
  const flow = useOnboarding(id, hear)
  const { mutate } = flow.begin
  const begun = useRef(false)
  useEffect(() => {
    if (begun.current) return
    begun.current = true
    mutate({ address: '', remote: String(remote.id) })
  }, [mutate, remote.id])
  // While it is used nobody ends it; what has used it has ended it.
  useEndWhenLeft(id, pending)
  const out = (
    <Button variant="default" onClick={back}>
      Back
    </Button>
  )
  const { state } = flow
  return (
    <Stack gap="md">
      <Text size="sm">{what}</Text>
      {flow.begin.error && <Trouble error={flow.begin.error} />}
      {!state && !flow.begin.error && <Loader size="sm" aria-label="The host is being asked" />}
      {state?.step === 'trust' && <CertificateStep flow={flow} state={state} back={out} onward={() => undefined} />}
      {state?.step === 'sign_in' && <SignInStep flow={flow} state={state} back={out} draft={draft} change={setDraft} />}
      {state?.step === 'second_factor' && <SecondFactorStep flow={flow} state={state} back={out} />}
      {state?.step === 'finish' && pending && (
        <Group gap="xs" role="status">
          <Loader size="xs" />
          <Text size="sm">What Muster made there is being removed…</Text>
        </Group>
      )}
      {error !== null && error !== undefined && <ProblemView error={error} />}
      {(flow.begin.isError || (state?.step === 'finish' && !pending)) && <Group>{out}</Group>}
      <Group justify="flex-end">{otherwise}</Group>
    </Stack>
  )
}
