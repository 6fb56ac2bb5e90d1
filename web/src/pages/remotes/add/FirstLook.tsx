/** The remote is there: what was made on it, and its first inventory as it comes in. */
import { Alert, Group, Loader, Paper, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { IconCircleCheck } from '@tabler/icons-react'
import { useState } from 'react'
import type { Remote, Schemas } from '~/api/types'
import { count } from '~/format/format'
import { LinkButton } from '~/ui/LinkButton'
import { LinkState } from '~/ui/State'
import { FACTS_READ, firstLook } from './first'
import { useRemote } from '../useRemote'

/** While it comes in it is asked for this often, and then no more often than on any other page. */
const SOON_MS = 1000
const AGAIN_MS = 10_000

export function FirstLook({ finished, again }: { finished: Schemas['Finished']; again: boolean }) {
  const [busy, setBusy] = useState(true)
  const { remote = finished.remote } = useRemote(String(finished.remote.id), busy ? SOON_MS : AGAIN_MS)
  const stage = firstLook(remote)
  if (stage.busy !== busy) setBusy(stage.busy)
  const done = finished.done ?? []
  return (
    <Stack gap="md">
      <Alert
        role="status"
        color="green"
        variant="light"
        icon={<IconCircleCheck size={20} />}
        title={again ? `Muster signs in to ${remote.name} anew` : `${remote.name} is added`}
      >
        {done.length === 0 ? (
          <Text size="sm">Nothing was made on the host.</Text>
        ) : (
          <>
            <Text size="sm">On the host:</Text>
            <ul style={{ margin: 0, paddingInlineStart: 18 }}>
              {done.map((line) => (
                <li key={line}>
                  <Text size="sm" className="name">
                    {line}
                  </Text>
                </li>
              ))}
            </ul>
          </>
        )}
      </Alert>
      <Paper withBorder p="md">
        <Stack gap="sm">
          <Group justify="space-between">
            <Title order={2}>First inventory</Title>
            <LinkState state={remote.link.state} />
          </Group>
          <Figures remote={remote} />
          <Group gap="xs" role="status">
            {stage.busy && <Loader size="xs" />}
            <Text size="sm" className="quiet">
              {stage.sentence}
            </Text>
          </Group>
          {remote.link.cause && !remote.link.up && (
            <Text size="sm">
              {remote.link.sentence}. {remote.link.cause.remedy}
            </Text>
          )}
        </Stack>
      </Paper>
      <Group justify="flex-end">
        <LinkButton to="/remotes/$remote" params={{ remote: String(remote.id) }}>
          To {remote.name}
        </LinkButton>
      </Group>
    </Stack>
  )
}

function Figures({ remote }: { remote: Remote }) {
  const { counts } = remote
  const read = remote.coverage.filter((row) => row.last_success != null).length
  const figures: [string, string][] = [
    ['Nodes', count(counts.nodes)],
    ['Guests', count(counts.guests)],
    ['Storages', count(counts.storages)],
    [FACTS_READ, `${read} of ${remote.coverage.length}`],
  ]
  return (
    <SimpleGrid cols={{ base: 2, sm: 4 }}>
      {figures.map(([label, figure]) => (
        <div key={label}>
          <Text size="xl" fw={600} className="figures">
            {figure}
          </Text>
          <Text size="sm" className="quiet">
            {label}
          </Text>
        </div>
      ))}
    </SimpleGrid>
  )
}
