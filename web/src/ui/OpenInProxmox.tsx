/** The way to the same thing in Proxmox VE's own console. */
import { Button } from '@mantine/core'
import { IconExternalLink } from '@tabler/icons-react'

/** `url` is `undefined` while it is not known. */
export function OpenInProxmox({ url }: { url: string | null | undefined }) {
  if (!url) return null
  return (
    <Button
      component="a"
      href={url}
      target="_blank"
      rel="noreferrer"
      size="compact-sm"
      variant="default"
      rightSection={<IconExternalLink size={14} aria-hidden />}
      aria-label="Open in Proxmox VE, in another window"
    >
      Open in Proxmox
    </Button>
  )
}
