/** Says that live updates have stopped, since when and why. Lies over the page's lower edge: nothing moves. */
import { Button, Group, Paper, Text } from '@mantine/core'
import { IconPlugConnectedX } from '@tabler/icons-react'
import { largest } from '~/format/format'
import { useLiveStatus } from '~/live/hooks'
import { live } from '~/live/live'
import { useNow } from '~/ui/now'
import classes from './shell.module.css'

/** A break shorter than this is mended before anybody could read of it. */
const PATIENCE_MS = 1500

export function CutBanner() {
  const status = useLiveStatus()
  const now = useNow()
  if (status.state !== 'cut' || now - status.since < PATIENCE_MS) return null
  const next = status.nextTry === undefined ? 0 : Math.round((status.nextTry - now) / 1000)
  return (
    <Paper className={classes.banner} role="status" withBorder shadow="md">
      <Group gap="sm" justify="space-between" wrap="wrap">
        <Group gap="xs" wrap="nowrap" style={{ flex: 1, minWidth: 220 }}>
          <IconPlugConnectedX size={18} style={{ flex: 'none' }} />
          <Text size="sm">
            <b>Live updates stopped {largest((now - status.since) / 1000)} ago</b>: {status.why}. What you see is from then.{' '}
            {next > 0 ? `Next try in ${next} s.` : 'Trying now…'}
          </Text>
        </Group>
        <Button size="compact-sm" variant="default" onClick={() => live.try()}>
          Try now
        </Button>
      </Group>
    </Paper>
  )
}
