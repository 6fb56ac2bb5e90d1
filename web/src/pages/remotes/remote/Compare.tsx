/** The certificate that is trusted beside the one that is shown now; accepting it is said by its fingerprint. */
import { Alert, Group, Modal, Skeleton, Stack, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import type { Remote, Schemas } from '~/api/types'
import { Button } from '~/ui/Button'
import { Facts } from '~/ui/Facts'
import { ProblemView } from '~/ui/Problem'
import { Certificate, Fingerprint } from '../Certificate'
import { sentence } from '~/format/format'
import { useChange } from '../useRemote'
import classes from '../remotes.module.css'

export function Compare({ remote, endpoint, close }: { remote: Remote; endpoint: string | undefined; close: () => void }) {
  return (
    <Modal opened={endpoint !== undefined} onClose={close} title={`Certificate of ${endpoint ?? ''}`} size={1000}>
      {endpoint !== undefined && <Pair key={endpoint} remote={remote} endpoint={endpoint} close={close} />}
    </Modal>
  )
}

function Pair({ remote, endpoint, close }: { remote: Remote; endpoint: string; close: () => void }) {
  const id = String(remote.id)
  const query = useQuery({
    queryKey: ['certificate', id, endpoint],
    queryFn: () =>
      unwrap(
        api.GET('/api/v1/remotes/{remote}/endpoints/{endpoint}/certificate', { params: { path: { remote: id, endpoint } } }),
      ),
    staleTime: 0,
    gcTime: 0,
    // What a person compares does not change under their eyes.
    refetchOnWindowFocus: false,
  })
  const trust = useChange(
    remote,
    (fingerprint: string, params) =>
      unwrap(api.POST('/api/v1/remotes/{remote}/trust', { params, body: { endpoint, fingerprint } })),
    close,
  )
  if (query.error) return <ProblemView error={query.error} again={() => void query.refetch()} />
  const pair = query.data
  if (!pair) return <Skeleton height={200} aria-label="The certificate is being looked at" />
  const before = pair.policy === 'leaf' ? (pair.trusted ?? undefined) : undefined
  return (
    <Stack gap="md">
      {pair.is_trusted ? (
        <Alert color="green" variant="light" title="It is trusted">
          <Text size="sm">What the endpoint shows now is what Muster believes. There is nothing to accept.</Text>
        </Alert>
      ) : (
        <Alert color="yellow" variant="light" title="It is not the one that is trusted">
          <Text size="sm" className="name">
            {pair.cause ? `${sentence(pair.cause.sentence)}` : 'What the endpoint shows now is not what was confirmed.'}
          </Text>
          <Text size="sm">
            If it was renewed on purpose, compare the fingerprint with the one on the host and accept it. If not, somebody may sit in
            between: accept nothing.
          </Text>
        </Alert>
      )}
      <div className={classes.pair}>
        <section aria-label="Trusted so far">
          <Title order={3} mb={6}>
            Trusted so far
          </Title>
          <Trusted pair={pair} />
        </section>
        <section aria-label="Shown now">
          <Title order={3} mb={6}>
            Shown now
          </Title>
          <Certificate certificate={pair.presented} beside={before} strange={pair.policy === 'ca' && !pair.is_trusted} />
        </section>
      </div>
      {trust.error && <ProblemView error={trust.error} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          Close
        </Button>
        {!pair.is_trusted && (
          <Button loading={trust.isPending} onClick={() => trust.mutate(pair.presented.fingerprint)}>
            Accept the certificate shown now
          </Button>
        )}
      </Group>
    </Stack>
  )
}

/** What is believed, by the policy for the endpoint. */
function Trusted({ pair }: { pair: Schemas['CertificatePair'] }) {
  if (pair.policy === 'ca') {
    const authorities = (pair.trusted ?? '').split(' ').filter(Boolean)
    return (
      <Stack gap={6}>
        <Text size="sm">Whatever the cluster’s own authority has issued for this name, through every renewal. The authority:</Text>
        {authorities.map((one) => (
          <Facts inRows key={one} facts={[{ name: 'SHA-256', value: <Fingerprint text={one} /> }]} />
        ))}
      </Stack>
    )
  }
  if (pair.policy === 'leaf' && pair.trusted) {
    return (
      <Stack gap={6}>
        <Facts inRows facts={[{ name: 'SHA-256', value: <Fingerprint text={pair.trusted} beside={pair.presented.fingerprint} /> }]} />
        <Text size="sm" className="quiet">
          This very certificate was confirmed by a person. Nothing else is known of it any more.
        </Text>
      </Stack>
    )
  }
  return (
    <Text size="sm">Whatever the machine that Muster runs on knows to be issued rightly for this name. Nothing was confirmed by hand.</Text>
  )
}
