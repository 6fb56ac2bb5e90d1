/** The menu of a guest's row, in whichever list: where it leads, and what may be done with the guest. */
import { Menu } from '@mantine/core'
import { IconBox, IconServer, IconServer2 } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { problemFrom } from '~/api/client'
import type { Guest } from '~/api/types'
import { OpenInProxmoxItem } from '~/ui/OpenInProxmox'
import { ActionItems, useCapabilities } from './ActionItems'

/** What a guest is called in a list. */
export function nameOf(guest: Guest): string {
  return guest.name ?? `${guest.remote}/${guest.vmid}`
}

/** The path of its page. */
export function pathOf(guest: Guest): string {
  return `/guests/${guest.remote_id}/${guest.vmid}`
}

/** For a list's `menu`. */
export function guestMenu(guest: Guest) {
  return <GuestMenu guest={guest} />
}

function GuestMenu({ guest }: { guest: Guest }) {
  return (
    <>
      <Menu.Label>
        <bdi className="name">{nameOf(guest)}</bdi>
      </Menu.Label>
      <Menu.Item component={Link} to={pathOf(guest)} leftSection={<IconBox size={16} />}>
        Open
      </Menu.Item>
      <Menu.Item component={Link} to={`/nodes/${guest.remote_id}/${encodeURIComponent(guest.node)}`} leftSection={<IconServer2 size={16} />}>
        Node <bdi>{guest.node}</bdi>
      </Menu.Item>
      <Menu.Item component={Link} to={`/remotes/${guest.remote_id}`} leftSection={<IconServer size={16} />}>
        Remote <bdi>{guest.remote}</bdi>
      </Menu.Item>
      <InProxmox guest={guest} />
      <Menu.Divider />
      <ActionItems remote={guest.remote_id} vmid={guest.vmid} name={guest.name} node={guest.node} />
    </>
  )
}

/** Its address is that of an endpoint in use, which is asked for with what may be done. */
function InProxmox({ guest }: { guest: Guest }) {
  const asked = useCapabilities(guest.remote_id, guest.vmid)
  const failed = asked.error ? `Its address there is not known: ${problemFrom(asked.error).detail ?? problemFrom(asked.error).title}` : undefined
  return <OpenInProxmoxItem url={asked.data?.open_url} pending={asked.isPending} failed={failed} />
}
