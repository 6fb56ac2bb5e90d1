/** What Muster signs in with from now on, and what the remote is called. */
import { Alert, Badge, Group, Radio, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { Refusal } from '~/api/client'
import type { Schemas } from '~/api/types'
import { many } from '~/format/format'
import { useLinks } from '~/live/hooks'
import { Button } from '~/ui/Button'
import { Facts } from '~/ui/Facts'
import { type Choice, choices, firstChoice, type Kept, nameFault, type Onboarding, type SignedIn } from './onboarding'
import { Trouble } from './Trouble'
import { Finishing, inUse } from './useOnboarding'

export function FinishStep({
  state,
  signedIn,
  factored,
  back,
  name,
  onName,
  kept,
  onKept,
  onFinished,
  extra,
}: {
  state: Onboarding
  signedIn: SignedIn
  factored: boolean
  back: ReactNode
  name: string | undefined
  onName: (name: string) => void
  kept: Kept | undefined
  onKept: (kept: Kept) => void
  onFinished: (finished: Schemas['Finished']) => void
  extra: (error: unknown) => ReactNode
}) {
  const again = state.remote
  const offered = choices(signedIn, factored)
  const chosen = kept ?? firstChoice(offered)
  const links = useLinks()
  const called = name ?? signedIn.suggested_name ?? ''
  const fault = again ? undefined : nameFault(called, [...(links?.values() ?? [])].map((row) => row.name))
  const [finishing] = useState(() => new Finishing())
  const finish = useMutation({
    mutationKey: inUse(state.id),
    mutationFn: () => finishing.finish(state.id, body(signedIn, chosen, again ? undefined : called.trim())),
    onSuccess: onFinished,
  })
  const unchosen = !signedIn.with_token && chosen === undefined
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (fault === undefined && !unchosen) finish.mutate()
      }}
    >
      <Stack gap="md">
        <Found signedIn={signedIn} />
        {signedIn.with_token ? (
          <Alert variant="light" title="The token is kept as it is">
            <Text size="sm">
              Muster keeps {signedIn.user}, sealed. It makes nothing on the host, and may do what this token may.
            </Text>
          </Alert>
        ) : (
          <Radio.Group
            label="What shall Muster sign in with from now on?"
            value={chosen ?? ''}
            onChange={(value) => onKept(value as Kept)}
          >
            <Stack gap="xs" mt="xs">
              {offered.map((choice) => (
                <Offer key={choice.value} choice={choice} />
              ))}
            </Stack>
          </Radio.Group>
        )}
        {!again && (
          <TextInput
            label="Name"
            description="What the remote is called in Muster."
            value={called}
            onChange={(event) => onName(event.currentTarget.value)}
            error={name === undefined && called === '' ? undefined : fault}
            maxLength={200}
            required
          />
        )}
        {finish.error && (extra(finish.error) ?? <FinishTrouble error={finish.error} />)}
        {finish.isPending && (
          <Text size="sm" className="quiet" role="status">
            {chosen === 'password' || signedIn.with_token
              ? 'An authorised request is tried with what is kept…'
              : 'The token is being made, and has to prove itself before anything is saved…'}
          </Text>
        )}
        <Group justify="space-between">
          {back}
          <Button type="submit" loading={finish.isPending} disabled={fault !== undefined || unchosen}>
            {again ? `Use it for ${again.name}` : 'Add the remote'}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function FinishTrouble({ error }: { error: unknown }) {
  const code = error instanceof Refusal ? error.code : ''
  return (
    <Trouble error={error}>
      {code === 'console:no_answer' && (
        <Text size="sm">Send it again: Muster answers with what became of the first time, and does nothing twice.</Text>
      )}
    </Trouble>
  )
}

function body(signedIn: SignedIn, chosen: Kept | undefined, name: string | undefined): Schemas['Finish'] {
  const named = name === undefined ? {} : { name }
  if (signedIn.with_token || chosen === undefined) return { ...named, keep: 'token' }
  return chosen === 'password' ? { ...named, keep: 'password' } : { ...named, keep: 'token', rights: chosen }
}

function Found({ signedIn }: { signedIn: SignedIn }) {
  const nodes = signedIn.nodes ?? []
  return (
    <Facts
      inRows
      facts={[
        { name: 'Signed in as', value: <span className="name">{signedIn.user}</span> },
        { name: 'Found', value: `Proxmox VE${signedIn.version ? ` ${signedIn.version}` : ''}, ${signedIn.cluster ? `the cluster ${signedIn.cluster} of ${many(nodes.length, 'node')}` : 'a stand-alone host'}` },
        { name: 'Nodes', value: <span className="name">{nodes.join(', ') || 'not told'}</span> },
      ]}
    />
  )
}

function Offer({ choice }: { choice: Choice }) {
  return (
    <Radio
      value={choice.value}
      disabled={choice.forbidden}
      label={choice.title}
      description={
        <>
          {choice.sentence}
          {choice.privileges.length > 0 && (
            <span style={{ display: 'block', marginTop: 4 }}>
              Privileges:{' '}
              {choice.privileges.map((one) => (
                <Badge
                  key={one}
                  component="span"
                  size="xs"
                  variant="light"
                  tt="none"
                  mr={4}
                  color={choice.lacking.includes(one) ? 'red' : 'gray'}
                >
                  {one}
                  {choice.lacking.includes(one) && ' (lacking)'}
                </Badge>
              ))}
            </span>
          )}
        </>
      }
    />
  )
}
