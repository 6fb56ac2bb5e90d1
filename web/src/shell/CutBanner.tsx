/** Says that live updates have stopped, since when and why. Lies over the page's lower edge: nothing moves. Pages leave room for it. */
import { Button, Group, Paper, Text } from '@mantine/core'
import { useResizeObserver } from '@mantine/hooks'
import { IconPlugConnectedX } from '@tabler/icons-react'
import { useEffect } from 'react'
import { useLiveStatus } from '~/live/hooks'
import { live } from '~/live/live'
import { useNow } from '~/ui/now'
import { type Said, saidOf } from './cut'
import classes from './shell.module.css'

/** From the edge of the window, and as much to what is above. */
const AROUND = 12

export function CutBanner() {
  const said = saidOf(useLiveStatus(), useNow())
  return said && <Banner {...said} />
}

function Banner({ what, why, then }: Said) {
  const [ref, { height }] = useResizeObserver()
  useEffect(() => {
    const { style } = document.documentElement
    style.setProperty('--cut-height', `${Math.ceil(height) + 2 * AROUND}px`)
    return () => void style.removeProperty('--cut-height')
  }, [height])
  return (
    <div ref={ref} className={classes.banner} style={{ inset: `auto ${AROUND}px ${AROUND}px ${AROUND}px` }}>
      <Paper className={classes.told} role="status" withBorder shadow="md">
        <Group gap="sm" justify="space-between" wrap="wrap">
          <Group gap="xs" wrap="nowrap" style={{ flex: 1, minWidth: 220 }}>
            <IconPlugConnectedX size={18} style={{ flex: 'none' }} />
            <Text size="sm">
              <b>{what}</b>: {why}. {then}
            </Text>
          </Group>
          <Button size="compact-sm" variant="default" onClick={() => live.try()}>
            Try now
          </Button>
        </Group>
      </Paper>
    </div>
  )
}
