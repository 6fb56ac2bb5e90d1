/** A text that is shown this once: to be copied or kept as a file before it is gone. */
import { Button, Code, Group, Stack } from '@mantine/core'
import { useClipboard } from '@mantine/hooks'
import { IconCheck, IconCopy, IconDownload } from '@tabler/icons-react'
import { save } from './save'

export function Secret({ text, label, file }: { text: string; label: string; file?: string }) {
  const clipboard = useClipboard({ timeout: 2000 })
  return (
    <Stack gap="xs">
      <Code block aria-label={label} tabIndex={0} style={{ userSelect: 'all', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {text}
      </Code>
      <Group gap="xs">
        <Button
          size="compact-sm"
          variant="default"
          leftSection={clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          onClick={() => clipboard.copy(text)}
        >
          {clipboard.error ? 'Copying is not allowed here: mark it instead' : clipboard.copied ? 'Copied' : 'Copy'}
        </Button>
        {file && (
          <Button size="compact-sm" variant="default" leftSection={<IconDownload size={14} />} onClick={() => save(file, text)}>
            Download
          </Button>
        )}
      </Group>
    </Stack>
  )
}
