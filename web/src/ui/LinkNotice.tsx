/** Says, on the page of something that lies behind a link, that the link is not up: since when, why, what would mend it. */
import { Alert, Group, Text } from '@mantine/core'
import { IconPlugConnectedX } from '@tabler/icons-react'
import type { Link } from '~/api/types'
import { capital } from '~/format/format'
import { forbiddenToTry } from '~/pages/remotes/decide'
import { useLinkDeed } from '~/pages/remotes/link'
import { useSession } from '~/shell/session'
import { Button } from './Button'
import { AnchorLink } from './AnchorLink'
import { Blocked } from './Blocked'
import { ProblemView } from './Problem'
import { Ago } from './Time'
import { Until } from './Until'

export function LinkNotice({ link, remote, id }: { link: Link; remote: string; id: number }) {
  const session = useSession()
  const attempt = useLinkDeed('try', { id, name: remote })
  if (link.up) return null
  const person = link.needs_person || link.state === 'disconnected'
  return (
    <Alert
      color={person ? 'red' : 'yellow'}
      variant="light"
      role="status"
      icon={<IconPlugConnectedX size={18} />}
      title={
        <Text component="span" fw={600} c="var(--mantine-color-text)">
          <bdi>{remote}</bdi> {link.state === 'disconnected' ? 'is disconnected' : 'is not reached'}
        </Text>
      }
    >
      <Text size="sm">
        {capital(link.sentence)}. What is shown was seen{link.last_success ? ' ' : ' before'}
        {link.last_success && <Ago at={link.last_success} />} and may be different now.
        {link.next_try && !person && (
          <>
            {' '}
            Next try: <Until at={link.next_try} />.
          </>
        )}
      </Text>
      {link.cause?.remedy && <Text size="sm">{link.cause.remedy}</Text>}
      <Group gap="sm" mt={6}>
        {link.state !== 'disconnected' && (
          <Blocked why={forbiddenToTry(session, { id, link })}>
            <Button size="compact-sm" variant="default" loading={attempt.isPending} onClick={() => attempt.mutate()}>
              Try now
            </Button>
          </Blocked>
        )}
        <AnchorLink to="/remotes/$remote" params={{ remote: String(id) }} size="sm" c="var(--mantine-color-text)" underline="always">
          To the remote
        </AnchorLink>
      </Group>
      {attempt.error && <ProblemView error={attempt.error} title="It was not tried" />}
    </Alert>
  )
}
