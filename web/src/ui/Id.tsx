/** An id or another text to be taken elsewhere: shown in full, copied by pressing it. */
import { ActionIcon, Tooltip } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { IconCheck, IconCopy } from '@tabler/icons-react'

export function Copy({ text, what = 'it' }: { text: string; what?: string }) {
  const clipboard = useClipboard({ timeout: 1500 })
  const label = clipboard.error ? 'The browser does not allow copying here' : clipboard.copied ? 'Copied' : `Copy ${what}`
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Copy ${what}`} onClick={() => clipboard.copy(text)}>
        {clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
      </ActionIcon>
    </Tooltip>
  )
}

export function Id({ text, what = 'id' }: { text: string; what?: string }) {
  return (
    <span style={{ display: 'inline-flex', alignItems: 'center', gap: 2, minWidth: 0 }}>
      <span className="mono">{text}</span>
      <Copy text={text} what={what} />
    </span>
  )
}
