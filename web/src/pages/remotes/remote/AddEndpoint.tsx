/** One more way to a remote: one that its cluster proposes, or an address that somebody types. */
import { Alert, Badge, Group, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import type { Remote, Schemas } from '~/api/types'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { Trouble } from '../add/Trouble'
import { Certificate, Fingerprint } from '../Certificate'
import { sentence } from '~/format/format'
import { useChange } from '../useRemote'

type Wanted = Schemas['NewEndpoint']

export function AddEndpoint({ remote, close }: { remote: Remote; close: () => void }) {
  const [address, setAddress] = useState('')
  const [asked, setAsked] = useState('')
  const add = useChange(
    remote,
    (body: Wanted, params) => unwrap(api.POST('/api/v1/remotes/{remote}/endpoints', { params, body })),
    close,
  )
  const try_ = (body: Wanted) => {
    setAsked(body.address)
    add.mutate(body)
  }
  const shown = toConfirm(add.error)
  return (
    <Stack gap="md">
      <Proposals remote={remote} add={try_} pending={add.isPending ? asked : undefined} />
      <form
        onSubmit={(event) => {
          event.preventDefault()
          try_({ address: address.trim() })
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Another address"
            description="Of a node of the same cluster. It is taken if it shows a certificate that the cluster itself tells of."
            placeholder="pve2.example"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            required
            value={address}
            onChange={(event) => setAddress(event.currentTarget.value)}
          />
          {add.error && !shown && <Trouble error={add.error} />}
          {shown && (
            <Alert color="yellow" variant="light" title={`The certificate of ${asked} has to be confirmed`}>
              <Stack gap={6}>
                <Text size="sm" className="name">
                  {add.error?.message}
                </Text>
                <Fingerprint text={shown} />
                <Text size="sm">If it surely is a node of this cluster, compare the fingerprint on it and confirm it.</Text>
                <Group>
                  <Button size="compact-sm" loading={add.isPending} onClick={() => try_({ address: asked, fingerprint: shown })}>
                    It is the right one: add it
                  </Button>
                </Group>
              </Stack>
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Close
            </Button>
            <Button type="submit" loading={add.isPending}>
              Add
            </Button>
          </Group>
        </Stack>
      </form>
    </Stack>
  )
}

/** The fingerprint of a certificate that only a person can vouch for. */
export function toConfirm(error: unknown): string | undefined {
  if (!(error instanceof Refusal)) return undefined
  const facts = error.problem.cause?.facts
  return facts?.cause === 'untrusted_certificate' ? facts.presented : undefined
}

function Proposals({ remote, add, pending }: { remote: Remote; add: (wanted: Wanted) => void; pending: string | undefined }) {
  const query = useQuery({
    queryKey: ['proposed', remote.id],
    queryFn: () =>
      unwrap(api.GET('/api/v1/remotes/{remote}/proposed', { params: { path: { remote: String(remote.id) } } })),
    enabled: (remote.proposed ?? 0) > 0 && remote.link.up,
    staleTime: 30_000,
  })
  if ((remote.proposed ?? 0) === 0) {
    return (
      <Text size="sm" className="quiet">
        The cluster names no further nodes{remote.cluster?.value.name === null ? ': it is a stand-alone host' : ' that are not endpoints yet'}.
      </Text>
    )
  }
  if (!remote.link.up) {
    return (
      <Text size="sm" className="quiet">
        The cluster names further nodes; they are tried once the link is up.
      </Text>
    )
  }
  if (query.error) return <ProblemView error={query.error} again={() => void query.refetch()} title="The proposals could not be read" />
  return (
    <Stack gap="sm">
      <Title order={3}>Proposed by the cluster</Title>
      {!query.data && <Skeleton height={60} aria-label="Each is being tried" />}
      {query.data?.items.map((one) => (
        <Stack key={one.id} gap={4}>
          <Group justify="space-between" gap="xs">
            <Group gap={6}>
              <Text size="sm" className="name" fw={600}>
                {one.name}
              </Text>
              <Text size="sm" className="mono">
                {one.id}
              </Text>
              <Badge size="sm" tt="none" variant="light" color={one.reachable ? 'green' : 'red'}>
                {one.reachable ? 'good' : 'not now'}
              </Badge>
            </Group>
            <Button
              size="compact-sm"
              disabled={!one.reachable}
              loading={pending === one.id}
              onClick={() => add({ address: one.id })}
              aria-label={`Add ${one.id}`}
            >
              Add
            </Button>
          </Group>
          {one.cause && (
            <Text size="sm" className="quiet">
              {sentence(one.cause.sentence)} {one.cause.remedy}
            </Text>
          )}
          {one.certificate && !one.vouched_for && <Certificate certificate={one.certificate} />}
        </Stack>
      ))}
    </Stack>
  )
}
