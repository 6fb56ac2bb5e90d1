/** How the link stands: state, cause, since when, what comes next, and what would mend it. */
import { Alert, Group, Text } from '@mantine/core'
import type { Remote } from '~/api/types'
import { type Fact, Facts } from '~/ui/Facts'
import { Panel } from '~/ui/Panel'
import { Ago } from '~/ui/Time'
import { LinkState } from '~/ui/State'
import { sentence } from '~/format/format'
import { Mends } from './Mends'
import { Until } from '~/ui/Until'

export function LinkPanel({ remote }: { remote: Remote }) {
  const { link } = remote
  const facts: Fact[] = [
    { name: 'State', value: <StateOf remote={remote} /> },
    { name: 'Since', value: <Ago at={link.since} /> },
  ]
  if (link.by) facts.push({ name: 'Disconnected by', value: <span className="name">{link.by}</span> })
  if (!link.up && link.down_since) facts.push({ name: 'Down since', value: <Ago at={link.down_since} /> })
  facts.push({ name: 'Last success', value: <Ago at={link.last_success} /> })
  if (link.next_try) facts.push({ name: 'Next try', value: <Until at={link.next_try} /> })
  if (link.in_use) facts.push({ name: 'Through', value: <span className="mono name">{link.in_use}</span> })
  return (
    <Panel title="Link">
      <Facts inRows facts={facts} />
      <Why remote={remote} />
      <Mends remote={remote} />
    </Panel>
  )
}

function StateOf({ remote: { link } }: { remote: Remote }) {
  return (
    <Group gap="xs">
      <LinkState state={link.state} />
      {link.needs_person && link.state !== 'disconnected' && (
        <Text span size="sm" className="quiet">
          waits for a person
        </Text>
      )}
    </Group>
  )
}

/** The cause in words, and what would mend it. */
function Why({ remote: { link } }: { remote: Remote }) {
  if (link.state === 'disconnected') {
    return (
      <Text size="sm" className="quiet">
        Nothing is sent to it, also after a restart, until somebody connects it. What was known is still shown, with its age.
      </Text>
    )
  }
  if (!link.cause) return null
  return (
    <Alert color={link.up ? 'yellow' : 'red'} variant="light" p="xs">
      <Text size="sm" className="name">
        {sentence(link.cause.sentence)}
      </Text>
      <Text size="sm" className="quiet">
        {link.cause.remedy}
      </Text>
    </Alert>
  )
}
