/** No remote yet: what one is, what is needed for it, and the way to add it. */
import { List, Stack, Text } from '@mantine/core'
import { useMay, useSession } from '~/shell/session'
import { Empty } from '~/ui/Empty'
import { LinkButton } from '~/ui/LinkButton'
import { NoGrants } from '~/ui/NoGrants'

export function FirstRemote() {
  const governs = useMay('administrator', null)
  const session = useSession()
  if (session.grants.length === 0) return <NoGrants />
  if (!governs) {
    return (
      <Empty title="No remotes">
        There is none yet that you may see. Adding one needs the role administrator on all remotes.
      </Empty>
    )
  }
  return (
    <Stack align="center" gap="md">
      <Empty
        title="Add your first host"
        action={
          <LinkButton to="/add-remote" mt="xs">
            Add a remote
          </LinkButton>
        }
      >
        A remote is one Proxmox VE cluster or stand-alone host. Muster then shows its guests, nodes and storages, how sure it is of each,
        and what may be done.
      </Empty>
      <Stack gap={6} maw={520}>
        <Text size="sm" fw={600}>
          What happens
        </Text>
        <List size="sm" type="ordered" spacing={4}>
          <List.Item>You give an address: that of any node will do.</List.Item>
          <List.Item>Its certificate is shown. Nothing is sent before you have said that it is the right one.</List.Item>
          <List.Item>You sign in, once. Muster can make a token of its own there, so that your password need not be kept.</List.Item>
          <List.Item>You choose what Muster may do: only look, or also switch guests.</List.Item>
        </List>
      </Stack>
    </Stack>
  )
}
