/** The way to the same thing in Proxmox VE's own console: a button for a page, an item for the menu of a row. */
import { Button, Menu, Text } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'
import { Act } from './Blocked'

const UNKNOWN =
  'It is not known under which address a browser reaches it: no endpoint has answered yet. It can be set in the remote’s settings, as its web interface.'

/** `url` is `null` where nobody knows under which address a browser reaches it. */
export function OpenInProxmox({ url }: { url: string | null | undefined }) {
  const icon = <IconExternalLink size={14} aria-hidden />
  if (!url) {
    return (
      <Act forbidden={UNKNOWN} rightSection={icon} onClick={() => undefined}>
        Open in Proxmox
      </Act>
    )
  }
  return (
    <Button
      component="a"
      href={url}
      target="_blank"
      rel="noreferrer"
      size="compact-sm"
      variant="default"
      rightSection={icon}
      aria-label="Open in Proxmox VE, in another window"
    >
      Open in Proxmox
    </Button>
  )
}

interface ItemProps {
  url: string | null | undefined
  /** It is being asked for. */
  pending?: boolean
  /** Why it could not be told. */
  failed?: string | undefined
}

/** To be put into a `Menu.Dropdown`. */
export function OpenInProxmoxItem({ url, pending = false, failed }: ItemProps) {
  const icon = <IconExternalLink size={16} />
  if (!url) {
    return (
      <Menu.Item leftSection={icon} data-disabled aria-disabled closeMenuOnClick={false} maw={340}>
        Open in Proxmox
        {!pending && (
          <Text size="xs" className="quiet">
            {failed ?? UNKNOWN}
          </Text>
        )}
      </Menu.Item>
    )
  }
  return (
    <Menu.Item component="a" href={url} target="_blank" rel="noreferrer" leftSection={icon}>
      Open in Proxmox
    </Menu.Item>
  )
}
