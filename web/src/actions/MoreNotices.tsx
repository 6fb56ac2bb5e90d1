/** Says that more notices wait behind those that are shown: what failed is not to wait unseen. */
import { Affix, Button, Group, Paper, Text } from '@mantine/core'
import { notifications, useNotifications } from '@mantine/notifications'
import { many } from '~/format/format'

export function MoreNotices() {
  const { notifications: shown, queue } = useNotifications()
  const close = () => {
    for (const { id } of shown) if (id !== undefined) notifications.hide(id)
  }
  if (queue.length === 0) return null
  return (
    // Beneath the header: the notices grow from the lower edge.
    <Affix position={{ top: 58, right: 16 }} zIndex={400}>
      <Paper withBorder shadow="md" px="sm" py={6} role="status">
        <Group gap="sm">
          <Text size="sm">{many(queue.length, 'more notice')} {queue.length === 1 ? 'waits' : 'wait'}</Text>
          <Button size="compact-sm" variant="default" onClick={close}>
            Close those shown
          </Button>
        </Group>
      </Paper>
    </Affix>
  )
}
