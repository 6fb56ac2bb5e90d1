/** The way to the same thing in Proxmox VE's own console. */
import { Button } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'
import { Act } from './Blocked'

/** `url` is `null` where nobody knows under which address a browser reaches it. */
export function OpenInProxmox({ url }: { url: string | null | undefined }) {
  const icon = <IconExternalLink size={14} aria-hidden />
  if (!url) {
    return (
      <Act
        forbidden="It is not known under which address a browser reaches it: no endpoint has answered yet. It can be set in the remote’s settings, as its web interface."
        rightSection={icon}
        onClick={() => undefined}
      >
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
