/** Who a guest is, where it lives, how it stands, and what may be done with it. */
import { Alert, Badge, Group, Stack, Text, Title } from '@mantine/core'
import { IconBox, IconDeviceDesktop } from '@tabler/icons-react'
import { ActionButtons } from '~/actions/ActionButtons'
import { power } from '~/actions/table'
import type { GuestDetail } from '~/api/types'
import { quoted } from '~/query/terms'
import { AnchorLink } from '~/ui/AnchorLink'
import { Fresh } from '~/ui/Fresh'
import { Copy } from '~/ui/Id'
import { OpenInProxmox } from '~/ui/OpenInProxmox'
import { GuestState, OperationState } from '~/ui/State'
import { Ago } from '~/ui/Time'
import classes from './guest.module.css'
import { KINDS } from './words'

export function Header({ guest }: { guest: GuestDetail }) {
  const Icon = guest.kind === 'ct' ? IconBox : IconDeviceDesktop
  const remote = String(guest.remote_id)
  const id = `${guest.remote}/${guest.vmid}`
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between" align="flex-start">
        <Group gap="sm" style={{ minWidth: 0 }}>
          <Icon size={22} stroke={1.6} aria-hidden />
          <Title order={1} className="name" lineClamp={3}>
            {guest.name ?? guest.vmid}
          </Title>
          <GuestState word={guest.word} />
          <Fresh freshness={guest} observedAt={guest.observed_at} through={guest.through} why={guest.stale_why} />
        </Group>
        <OpenInProxmox url={guest.open_url} />
      </Group>
      <div className={classes.under}>
        <Text component="span" size="sm">
          {KINDS[guest.kind]}
        </Text>
        <span>
          <span className="mono name">{id}</span>
          <Copy text={id} what="id" />
        </span>
        <Text component="span" size="sm">
          on node{' '}
          <AnchorLink to="/nodes/$remote/$node" params={{ remote, node: guest.node }} className="name" underline="always">
            {guest.node}
          </AnchorLink>{' '}
          of{' '}
          <AnchorLink to="/remotes/$remote" params={{ remote }} className="name" underline="always">
            {guest.remote}
          </AnchorLink>
        </Text>
        {guest.pool && (
          <Text component="span" size="sm">
            pool{' '}
            <AnchorLink to="/guests" search={{ q: `pool:${quoted(guest.pool)}` }} className="name" underline="always">
              {guest.pool}
            </AnchorLink>
          </Text>
        )}
        {guest.template === true && (
          <Badge variant="outline" color="gray" tt="none">
            template
          </Badge>
        )}
        {guest.lock && (
          <Badge variant="light" color="yellow" tt="none">
            locked: {guest.lock}
          </Badge>
        )}
        {guest.tags.length > 0 && (
          <Group gap={4} component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Tags">
            {guest.tags.map((tag) => (
              <li key={tag}>
                <AnchorLink to="/guests" search={{ q: `tag:${quoted(tag)}` }} underline="never">
                  <Badge variant="light" tt="none" fw={500} style={{ cursor: 'pointer' }}>
                    <bdi>{tag}</bdi>
                  </Badge>
                </AnchorLink>
              </li>
            ))}
          </Group>
        )}
      </div>
      <ActionButtons guest={guest} />
      <Presence guest={guest} />
      <Running guest={guest} />
    </Stack>
  )
}

/** That it is not there as it was, where that is so. */
function Presence({ guest }: { guest: GuestDetail }) {
  const { presence } = guest
  switch (presence.is) {
    case 'present':
      return <NodeDown guest={guest} />
    case 'missing':
      return (
        <Alert color="yellow" variant="light" role="status" title="Missing from the latest listing">
          <Text size="sm">
            Since <Ago at={presence.since} />. It is not taken for deleted before Proxmox VE has said so twice.
          </Text>
        </Alert>
      )
    case 'deleted':
      return (
        <Alert color="gray" variant="light" role="status" title="Deleted">
          <Text size="sm">
            It was found to be gone <Ago at={presence.at} />. What is shown is how it was when it was last seen; its history stays.
          </Text>
        </Alert>
      )
    case 'no_longer_visible':
      return (
        <Alert color="yellow" variant="light" role="status" title="No longer visible">
          <Text size="sm">
            Since <Ago at={presence.since} /> the account that Muster uses on <bdi>{guest.remote}</bdi> may not see it. It may be there all the same. Give that account a
            role with VM.Audit on it.
          </Text>
        </Alert>
      )
  }
}

/** That its node is down behind a cluster that answers, or that Proxmox VE itself does not know its state. */
function NodeDown({ guest }: { guest: GuestDetail }) {
  const { standing } = guest
  if (!guest.link.up) return null
  if (standing.is === 'node_down') {
    return (
      <Alert color="red" variant="light" role="status" title={<bdi>Node {standing.node} is down</bdi>}>
        <Text size="sm">
          The rest of <bdi>{guest.remote}</bdi> answers and says so. What the guest does now is not known; it was last seen <Ago at={guest.observed_at} />,{' '}
          {guest.last_state}.
        </Text>
      </Alert>
    )
  }
  if (standing.is === 'unknown') {
    return (
      <Alert color="yellow" variant="light" role="status" title="Its state is unknown">
        <Text size="sm">Proxmox VE itself does not know at present what it does. When it was last known, it was {guest.last_state}.</Text>
      </Alert>
    )
  }
  return null
}

/** What is being done with it. */
function Running({ guest }: { guest: GuestDetail }) {
  const { operation } = guest
  if (!operation || operation.final) return null
  return (
    <Group gap="sm" role="status">
      <Text size="sm">
        {power(operation.action).label}, asked for by <bdi>{operation.author.name}</bdi> <Ago at={operation.requested} />:
      </Text>
      <Text size="sm" component="span">
        <OperationState state={operation.state} />
      </Text>
      <AnchorLink to="/operations/$id" params={{ id: operation.id }} size="sm">
        See the operation
      </AnchorLink>
    </Group>
  )
}
