/** The second factor: on by a picture and a first code, recovery codes shown once, off again with the password. */
import { Alert, Group, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { IconShieldCheck, IconShieldOff } from '@tabler/icons-react'
import { useQueryClient, type UseMutationResult } from '@tanstack/react-query'
import { useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import { useWait, verdictOf } from '~/pages/sign-in/tries'
import { Wait } from '~/pages/sign-in/Wait'
import { useSession } from '~/shell/session'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { Secret } from '~/ui/Secret'
import { ShownOnce } from '~/ui/ShownOnce'
import { Ago } from '~/ui/Time'
import { Qr } from './Qr'

type Begun = Schemas['TotpBegun']
type Totp = Schemas['AccountTotp']

/** So few recovery codes are worth a remark. */
const FEW = 3

export function FactorTab({ totp }: { totp: Totp | null }) {
  const [codes, setCodes] = useState<string[]>()
  const [begun, setBegun] = useState<Begun>()
  const queries = useQueryClient()
  const refresh = () => queries.invalidateQueries({ queryKey: ['account'] })
  if (codes) {
    return (
      <ShowCodes
        codes={codes}
        done={() => {
          setCodes(undefined)
          setBegun(undefined)
        }}
      />
    )
  }
  if (begun) {
    return (
      <Confirm
        begun={begun}
        cancel={() => setBegun(undefined)}
        done={async (fresh) => {
          setCodes(fresh)
          await refresh()
        }}
      />
    )
  }
  return totp ? (
    <On
      totp={totp}
      fresh={async (made) => {
        setCodes(made)
        await refresh()
      }}
      off={refresh}
    />
  ) : (
    <Off begin={setBegun} />
  )
}

/** Begins with the password. */
function Off({ begin }: { begin: (begun: Begun) => void }) {
  const start = useOnce(
    (password: string, key) =>
      unwrap(api.POST('/api/v1/account/totp', { body: { password }, params: { header: { 'Idempotency-Key': key } } })),
    begin,
  )
  return (
    <Stack maw={560}>
      <Group gap="xs">
        <IconShieldOff size={20} aria-hidden />
        <Title order={2}>Off</Title>
      </Group>
      <Text size="sm">
        Your password alone opens your account. With a second factor signing in also takes a code of six digits that an
        authenticator app on your telephone shows: whoever learns your password cannot sign in with it.
      </Text>
      <Proof act="Set up a second factor" change={start} />
    </Stack>
  )
}

/** Shows the secret, and takes the first code. */
function Confirm({ begun, done, cancel }: { begun: Begun; done: (codes: string[]) => Promise<void>; cancel: () => void }) {
  const [code, setCode] = useState('')
  const confirm = useOnce(
    (wish: string, key) =>
      unwrap(api.POST('/api/v1/account/totp/confirm', { body: { code: wish }, params: { header: { 'Idempotency-Key': key } } })),
    ({ recovery_codes: codes }) => done(codes),
  )
  const refusal = confirm.error instanceof Refusal ? confirm.error : undefined
  const wrong = refusal?.code === 'wrong_code'
  const wait = useWait(confirm)
  return (
    <Stack maw={640}>
      <Title order={2}>Set up a second factor</Title>
      <Group align="flex-start" gap="lg">
        <div style={{ flex: '0 1 232px', minWidth: 180 }}>
          <Qr text={begun.uri} label="The secret as a QR code, for the authenticator app" />
        </div>
        <Stack style={{ flex: '1 1 260px' }} gap="xs">
          <Text size="sm">1. Read the picture with an authenticator app, or type this into it:</Text>
          <Secret text={begun.secret.replace(/(.{4})(?=.)/g, '$1 ')} label="The secret" />
          <Text size="xs" className="quiet">
            Six digits, every 30 seconds (SHA-1). Without a first code it ends <Ago at={begun.expires} />.
          </Text>
          <form
            onSubmit={(event) => {
              event.preventDefault()
              if (wait === 0) confirm.mutate(code.replace(/\s/g, ''))
            }}
          >
            <Stack gap="xs">
              <TextInput
                label="2. The code that it shows now"
                autoComplete="one-time-code"
                inputMode="numeric"
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
                error={
                  wrong
                    ? 'This code is not right. Wait for the next one; see whether the telephone’s clock is right.'
                    : undefined
                }
                required
                autoFocus
              />
              <Wait seconds={wait} />
              {confirm.error && !wrong && verdictOf(confirm.error).kind !== 'wait' && <ProblemView error={confirm.error} />}
              <Text size="xs" className="quiet">
                Your other sessions end when it goes on. This one and your API tokens go on.
              </Text>
              <Group>
                <Button type="submit" loading={confirm.isPending} disabled={wait > 0}>
                  Turn it on
                </Button>
                <Button variant="default" onClick={cancel}>
                  Cancel
                </Button>
              </Group>
            </Stack>
          </form>
        </Stack>
      </Group>
    </Stack>
  )
}

/** The recovery codes, this once. */
function ShowCodes({ codes, done }: { codes: string[]; done: () => void }) {
  const { user } = useSession()
  return (
    <ShownOnce
      title="Your recovery codes"
      text={codes.join('\n')}
      label="Recovery codes"
      file={`muster-recovery-codes-${user}.txt`}
      kept="I have kept them"
      done={done}
    >
      Each of them takes the place of one code, when the telephone is not at hand. Keep them where neither the telephone nor the
      password is; codes that you had before work no more.
    </ShownOnce>
  )
}

function On({ totp, fresh, off }: { totp: Totp; fresh: (codes: string[]) => Promise<void>; off: () => Promise<void> }) {
  const [asked, setAsked] = useState<'codes' | 'off'>()
  const renew = useOnce(
    (password: string, key) =>
      unwrap(api.POST('/api/v1/account/recovery-codes', { body: { password }, params: { header: { 'Idempotency-Key': key } } })),
    ({ recovery_codes: codes }) => fresh(codes),
  )
  const end = useOnce(
    (password: string, key) =>
      unwrap(api.DELETE('/api/v1/account/totp', { body: { password }, params: { header: { 'Idempotency-Key': key } } })),
    off,
  )
  const left = totp.recovery_codes_left
  return (
    <Stack maw={560}>
      <Group gap="xs">
        <IconShieldCheck size={20} aria-hidden />
        <Title order={2}>On</Title>
        <Text size="sm" className="quiet">
          since <Ago at={totp.since} />
        </Text>
      </Group>
      <Text size="sm">Signing in takes your password and a code of your authenticator app, or one of your recovery codes.</Text>
      {left == null ? (
        <Alert color="yellow" role="status" title="The recovery codes cannot be read">
          None of them works. Make new ones: without telephone and codes only an administrator can let you in.
        </Alert>
      ) : left <= FEW ? (
        <Alert color="yellow" role="status" title={left === 0 ? 'No recovery code is left' : `${many(left, 'recovery code')} left`}>
          Make new ones before you need them: without telephone and codes only an administrator can let you in.
        </Alert>
      ) : (
        <Text size="sm" className="quiet">
          {many(left, 'recovery code')} left.
        </Text>
      )}
      {asked === undefined ? (
        <Group>
          <Button variant="default" onClick={() => setAsked('codes')}>
            New recovery codes
          </Button>
          <Button variant="default" onClick={() => setAsked('off')}>
            Turn it off
          </Button>
        </Group>
      ) : asked === 'codes' ? (
        <Proof
          act="Make new codes"
          note="The codes that you have now work no more."
          change={renew}
          cancel={() => setAsked(undefined)}
        />
      ) : (
        <Proof
          act="Turn it off"
          note="Your password alone opens your account then. The recovery codes end as well."
          change={end}
          cancel={() => setAsked(undefined)}
          harsh
        />
      )}
    </Stack>
  )
}

interface ProofProps {
  act: string
  note?: string
  harsh?: boolean
  change: UseMutationResult<unknown, Error, string>
  cancel?: () => void
}

/** Asks for the password before something is done. */
function Proof({ act, note, harsh, change, cancel }: ProofProps) {
  const { user } = useSession()
  const [password, setPassword] = useState('')
  const wrong = change.error instanceof Refusal && change.error.code === 'wrong_password'
  const wait = useWait(change)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (wait === 0) change.mutate(password)
      }}
    >
      <Stack maw={420} gap="sm">
        {note && <Text size="sm">{note}</Text>}
        <input type="text" autoComplete="username" value={user} readOnly hidden aria-hidden tabIndex={-1} />
        <PasswordInput
          label="Your password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={wrong ? 'This is not your password.' : undefined}
          required
          autoFocus={cancel !== undefined}
        />
        <Wait seconds={wait} />
        {change.error && !wrong && verdictOf(change.error).kind !== 'wait' && <ProblemView error={change.error} />}
        <Group>
          <Button type="submit" color={harsh ? 'red' : undefined} loading={change.isPending} disabled={wait > 0}>
            {act}
          </Button>
          {cancel && (
            <Button variant="default" onClick={cancel}>
              Cancel
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  )
}
