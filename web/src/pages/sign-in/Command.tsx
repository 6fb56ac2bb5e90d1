/** A command to be typed on the server, ready to be taken along. */
import { Group } from '@mantine/core'
import { Copy } from '~/ui/Id'

export function Command({ text }: { text: string }) {
  return (
    <Group gap={4} wrap="nowrap">
      <code className="mono">{text}</code>
      <Copy text={text} what="the command" />
    </Group>
  )
}
