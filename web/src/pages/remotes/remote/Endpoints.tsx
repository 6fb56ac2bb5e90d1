/** The endpoints of a remote: how each fares, its certificate, and adding and removing them. */
import { Badge, Group, Modal, Stack, Table, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Remote, Schemas } from '~/api/types'
import { useSession } from '~/shell/session'
import { Act } from '~/ui/Blocked'
import { Button } from '~/ui/Button'
import { Id } from '~/ui/Id'
import { Panel } from '~/ui/Panel'
import { ProblemView } from '~/ui/Problem'
import { State, type Tone } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { sentence } from '~/format/format'
import { forbidden, forbiddenToDial } from '../decide'
import { useChange } from '../useRemote'
import { AddEndpoint } from './AddEndpoint'
import { Compare } from './Compare'
import { Until } from '~/ui/Until'
import classes from '../remotes.module.css'

const HEALTH: Record<string, Tone> = { good: 'good', failing: 'bad', stopped: 'bad', untried: 'unknown' }

export function Endpoints({ remote }: { remote: Remote }) {
  const session = useSession()
  const [comparing, setComparing] = useState<string>()
  const [removing, setRemoving] = useState<string>()
  const [adding, add] = useDisclosure(false)
  const { endpoints } = remote.link
  const barred = forbidden(session, remote)
  const proposed = remote.proposed ?? 0
  return (
    <Panel
      title="Endpoints"
      beside={
        <Act forbidden={forbiddenToDial(session, remote) ?? off(remote)} onClick={add.open}>
          Add an endpoint…{proposed > 0 && ` (${proposed} proposed)`}
        </Act>
      }
    >
      <Table.ScrollContainer minWidth={760}>
        <Table aria-label="Endpoints">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Address</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th className={classes.whole}>Last success</Table.Th>
              <Table.Th className={classes.whole}>Version</Table.Th>
              <Table.Th aria-label="What may be done" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {endpoints.map((endpoint) => (
              <Table.Tr key={endpoint.id}>
                <Table.Td className={classes.whole}>
                  <Group gap={6} wrap="nowrap" w="max-content">
                    <Id text={endpoint.id} what="address" />
                    {endpoint.in_use && (
                      <Badge size="sm" variant="light" tt="none" style={{ flex: 'none' }}>
                        in use
                      </Badge>
                    )}
                  </Group>
                </Table.Td>
                <Table.Td>
                  <Health endpoint={endpoint} />
                </Table.Td>
                <Table.Td className={classes.whole}>
                  <Ago at={endpoint.last_success} />
                </Table.Td>
                <Table.Td className="figures">{remote.versions?.[endpoint.id] ?? <span className="quiet">–</span>}</Table.Td>
                <Table.Td>
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    <Act forbidden={barred ?? off(remote)} onClick={() => setComparing(endpoint.id)}>
                      Certificate…
                    </Act>
                    <Act
                      forbidden={barred ?? (endpoints.length === 1 ? 'The last endpoint stays: remove the remote instead.' : undefined)}
                      onClick={() => setRemoving(endpoint.id)}
                    >
                      Remove…
                    </Act>
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Compare remote={remote} endpoint={comparing} close={() => setComparing(undefined)} />
      <Removing remote={remote} endpoint={removing} close={() => setRemoving(undefined)} />
      <Modal opened={adding} onClose={add.close} title={`Add an endpoint to ${remote.name}`} size="lg">
        {adding && <AddEndpoint remote={remote} close={add.close} />}
      </Modal>
    </Panel>
  )
}

/** A remote that is disconnected is left alone. */
function off(remote: Remote): string | undefined {
  return remote.link.state === 'disconnected' ? 'The remote is disconnected: nothing is sent to it. Connect it first.' : undefined
}

function Health({ endpoint }: { endpoint: Schemas['Endpoint'] }) {
  return (
    <Stack gap={2}>
      <State tone={HEALTH[endpoint.health] ?? 'unknown'}>{endpoint.health === 'untried' ? 'not tried yet' : endpoint.health}</State>
      {endpoint.cause && (
        <Text size="xs" className="quiet name">
          {sentence(endpoint.cause.sentence)}
        </Text>
      )}
      {endpoint.since && (
        <Text size="xs" className="quiet" component="div">
          since <Ago at={endpoint.since} />
          {(endpoint.failures ?? 0) > 1 && `, ${endpoint.failures} tries failed`}
          {endpoint.next_try && (
            <>
              , next try <Until at={endpoint.next_try} />
            </>
          )}
        </Text>
      )}
    </Stack>
  )
}

function Removing({ remote, endpoint, close }: { remote: Remote; endpoint: string | undefined; close: () => void }) {
  const remove = useChange(
    remote,
    (which: string, { path, header }) =>
      unwrap(
        api.DELETE('/api/v1/remotes/{remote}/endpoints/{endpoint}', { params: { path: { ...path, endpoint: which }, header } }),
      ),
    close,
  )
  const leave = () => {
    remove.reset()
    close()
  }
  return (
    <Modal opened={endpoint !== undefined} onClose={leave} title="Remove an endpoint?">
      {endpoint !== undefined && (
        <Stack gap="sm">
          <Text size="sm">
            Muster does not reach <b className="name">{remote.name}</b> through <b>{endpoint}</b> any more, and forgets which certificate was trusted there. The
            node stays as it is.
          </Text>
          {remove.error && <ProblemView error={remove.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={leave}>
              Cancel
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate(endpoint)}>
              Remove
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  )
}
