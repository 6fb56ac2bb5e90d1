/** The steps that prove who is at the other end and who signs in: certificate, sign-in, second factor. */
import { Alert, Group, PasswordInput, SegmentedControl, Select, Stack, Text, TextInput } from '@mantine/core'
import { IconShieldCheck, IconShieldQuestion } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { Button } from '~/ui/Button'
import { Certificate } from '../Certificate'
import { FACTORS, firstRealm, type Onboarding, readToken, realmLabel, typed, userAt } from './onboarding'
import { Trouble } from './Trouble'
import type { Flow } from './useOnboarding'

export interface StepProps {
  flow: Flow
  state: Onboarding
  /** Back to the step before, or out. */
  back: ReactNode
}

export function CertificateStep({ flow, state, back, onward }: StepProps & { onward: () => void }) {
  const { certificate } = state
  const waits = state.step === 'trust'
  return (
    <Stack gap="md">
      {waits ? (
        <Alert color="yellow" variant="light" icon={<IconShieldQuestion size={20} />} title="Is this your host?">
          <Text size="sm">
            {state.endpoint} shows this certificate, and it is not trusted yet{state.untrusted_why ? `: ${state.untrusted_why}` : ''}.
            Compare the fingerprint with the one on the host: in its web interface under <i>node → System → Certificates</i>, or with
          </Text>
          <Text size="sm" className="mono" mt={4}>
            openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256
          </Text>
          <Text size="sm" mt={4}>
            Until you confirm it nothing is sent: no password, not even a request.
          </Text>
        </Alert>
      ) : (
        <Alert color="green" variant="light" icon={<IconShieldCheck size={20} />} title="Trusted">
          <Text size="sm">{grounds(state)}</Text>
        </Alert>
      )}
      {certificate && <Certificate certificate={certificate} />}
      {flow.trust.error && <Trouble error={flow.trust.error} />}
      <Group justify="space-between">
        {back}
        {waits ? (
          <Button
            loading={flow.trust.isPending}
            disabled={!certificate}
            onClick={() => certificate && flow.trust.mutate(certificate.fingerprint)}
          >
            It is the right one: trust it
          </Button>
        ) : (
          <Button onClick={onward}>Continue</Button>
        )}
      </Group>
    </Stack>
  )
}

function grounds(state: Onboarding): string {
  if (state.remote) return `${state.endpoint} shows a certificate that is trusted for ${state.remote.name} already.`
  return `${state.endpoint} shows a certificate that is trusted: the machine Muster runs on knows who issued it, or you have confirmed it.`
}

/** What was typed to sign in. Held by who shows the step, so that going back loses nothing. */
export interface Draft {
  way: 'password' | 'token'
  user: string
  realm: string | undefined
  password: string
  tokenId: string
  tokenSecret: string
}

export const EMPTY: Draft = { way: 'password', user: '', realm: undefined, password: '', tokenId: '', tokenSecret: '' }

export function SignInStep({
  flow,
  state,
  back,
  draft,
  change,
  extra,
}: StepProps & { draft: Draft; change: (draft: Draft) => void; extra?: (error: unknown) => ReactNode }) {
  const realms = state.realms ?? []
  const realm = draft.realm ?? firstRealm(realms)
  const set = (part: Partial<Draft>) => change({ ...draft, ...part })
  const paste = (text: string, part: Partial<Draft>) => {
    const token = readToken(text)
    set(token ? { tokenId: token.id, tokenSecret: token.secret } : part)
  }
  const submit = () =>
    flow.signIn.mutate(
      draft.way === 'token'
        ? { token: `${draft.tokenId.trim()}=${draft.tokenSecret.trim()}` }
        : { user: userAt(draft.user, realm, realms), password: draft.password },
    )
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <Stack gap="md">
        <SegmentedControl
          aria-label="How to sign in"
          value={draft.way}
          onChange={(way) => set({ way })}
          data={[
            { value: 'password', label: 'User and password' },
            { value: 'token', label: 'API token' },
          ]}
        />
        {draft.way === 'password' ? (
          <>
            <Group align="flex-start" grow preventGrowOverflow={false}>
              <TextInput
                label="User"
                placeholder="root"
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                required
                autoFocus
                value={draft.user}
                onChange={(event) => set({ user: event.currentTarget.value })}
              />
              {realms.length > 0 && (
                <Select
                  label="Realm"
                  description={undefined}
                  data={realms.map((one) => ({ value: one.name, label: realmLabel(one) }))}
                  value={realm}
                  onChange={(value) => set({ realm: value ?? undefined })}
                  allowDeselect={false}
                  comboboxProps={{ withinPortal: true }}
                />
              )}
            </Group>
            {realms.length === 0 && (
              <Text size="sm" className="quiet">
                The host named no realms: give the user with one, as in root@pam.
              </Text>
            )}
            <PasswordInput
              label="Password"
              autoComplete="off"
              required
              value={draft.password}
              onChange={(event) => set({ password: event.currentTarget.value })}
              description="Presented once. Whether it is kept you say after that."
            />
          </>
        ) : (
          <>
            <TextInput
              label="Token ID"
              placeholder="root@pam!muster"
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              required
              autoFocus
              value={draft.tokenId}
              onChange={(event) => paste(event.currentTarget.value, { tokenId: event.currentTarget.value })}
              description="USER@REALM!NAME; ID and secret pasted together are understood too."
            />
            <PasswordInput
              label="Secret"
              autoComplete="off"
              required
              value={draft.tokenSecret}
              onChange={(event) => paste(event.currentTarget.value, { tokenSecret: event.currentTarget.value })}
            />
          </>
        )}
        {flow.signIn.error && (extra?.(flow.signIn.error) ?? <Trouble error={flow.signIn.error} />)}
        <Group justify="space-between">
          {back}
          <Button type="submit" loading={flow.signIn.isPending}>
            Sign in
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

export function SecondFactorStep({ flow, state, back, extra }: StepProps & { extra?: (error: unknown) => ReactNode }) {
  return (
    <FactorForm
      kinds={state.factors ?? []}
      pending={flow.secondFactor.isPending}
      error={flow.secondFactor.error && (extra?.(flow.secondFactor.error) ?? <Trouble error={flow.secondFactor.error} />)}
      back={back}
      submit={(answer) => flow.secondFactor.mutate(answer)}
    />
  )
}

/** A code, and which kind it is. */
export function FactorForm({
  kinds,
  pending,
  error,
  back,
  submit,
}: {
  kinds: readonly string[]
  pending: boolean
  error: ReactNode
  back: ReactNode
  submit: (answer: { code: string; kind: string }) => void
}) {
  const offered = typed(kinds)
  const [kind, setKind] = useState(offered[0] ?? 'totp')
  const [code, setCode] = useState('')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        submit({ code: code.trim(), kind })
      }}
    >
      <Stack gap="md">
        {offered.length > 1 && (
          <SegmentedControl
            aria-label="Which second factor"
            value={kind}
            onChange={setKind}
            data={offered.map((one) => ({ value: one, label: FACTORS[one]?.label ?? one }))}
          />
        )}
        <TextInput
          label={FACTORS[kind]?.label ?? 'Code'}
          description={FACTORS[kind]?.what}
          autoComplete="one-time-code"
          inputMode={kind === 'totp' ? 'numeric' : 'text'}
          spellCheck={false}
          required
          autoFocus
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        {error}
        <Group justify="space-between">
          {back}
          <Button type="submit" loading={pending}>
            Send the code
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
