/** The cluster or host is there under a name already: its address may be one more way to it. */
import { Alert, Group, Stack, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { api, problemFrom, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import { Button } from '~/ui/Button'
import { LinkButton } from '~/ui/LinkButton'
import type { Onboarding } from './onboarding'
import { Trouble } from './Trouble'
import { end } from './useOnboarding'

/** `state`: absent while the address itself is known already, as an endpoint. */
export function Managed({ error, state }: { error: unknown; state?: Onboarding | undefined }) {
  const problem = problemFrom(error)
  const known = problem.candidates?.find((one) => one.type === 'remote')
  const navigate = useNavigate()
  const queries = useQueryClient()
  const add = useOnce(
    ({ remote, at }: { remote: string; at: Onboarding }, key) =>
      unwrap(
        api.POST('/api/v1/remotes/{remote}/endpoints', {
          params: { path: { remote }, header: { 'Idempotency-Key': key } },
          // The person has seen this certificate already, or the system vouches for it.
          body: { address: at.endpoint, fingerprint: at.certificate?.fingerprint ?? null },
        }),
      ),
    async (remote, { at }) => {
      void end(at.id)
      await queries.invalidateQueries({ queryKey: ['remote'] })
      await navigate({ to: '/remotes/$remote', params: { remote: String(remote.id) } })
    },
  )
  if (!known) return <Trouble error={error} />
  return (
    <Alert role="alert" color="blue" variant="light" title={`Managed already, as ${known.name}`}>
      <Stack gap="xs">
        <Text size="sm">
          {state
            ? `${state.endpoint} is the same cluster or host as ${known.name}. Nothing was changed. The address can be one more way to it.`
            : `This address is an endpoint of ${known.name}. Nothing was changed.`}
        </Text>
        {add.error && <Trouble error={add.error} />}
        <Group gap="xs">
          {state && (
            <Button size="compact-sm" loading={add.isPending} onClick={() => add.mutate({ remote: known.id, at: state })}>
              Add {state.endpoint} as an endpoint
            </Button>
          )}
          <LinkButton size="compact-sm" variant="default" to="/add-remote" search={{ again: known.id }}>
            Sign in anew to {known.name}
          </LinkButton>
          <LinkButton size="compact-sm" variant="default" to="/remotes/$remote" params={{ remote: known.id }}>
            Open {known.name}
          </LinkButton>
        </Group>
      </Stack>
    </Alert>
  )
}
