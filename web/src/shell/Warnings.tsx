/** What whoever governs this server should know, above every page: plain HTTP, a damaged database, … */
import { ActionIcon, Group, Text } from '@mantine/core'
import { useResizeObserver } from '@mantine/hooks'
import { IconAlertTriangle, IconX } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useSession } from './session'
import classes from './shell.module.css'

const KEY = 'muster-warnings-read'

/** What was put away in this window; another text comes up again. */
function readAlready(): string[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as string[]
  } catch {
    return []
  }
}

export function Warnings() {
  const { warnings = [] } = useSession()
  const [read, setRead] = useState(readAlready)
  const [ref, { height }] = useResizeObserver()
  const left = warnings.filter((warning) => !read.includes(warning))
  const shown = left.length > 0
  useEffect(() => {
    // Pages that fill the window leave room for it.
    document.documentElement.style.setProperty('--banner-height', `${shown ? Math.ceil(height) : 0}px`)
  }, [height, shown])
  const putAway = (warning: string) => {
    const all = [...read, warning]
    setRead(all)
    try {
      sessionStorage.setItem(KEY, JSON.stringify(all))
    } catch {
      // Without a memory it comes up again after a reload.
    }
  }
  return (
    <div ref={ref} role="region" aria-label="Warnings of this server">
      {left.map((warning) => (
        <Group key={warning} className={classes.warning} gap="xs" wrap="nowrap">
          <IconAlertTriangle size={16} style={{ flex: 'none' }} aria-hidden />
          <Text size="sm" style={{ flex: 1 }}>
            {warning}
          </Text>
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Put this warning away" onClick={() => putAway(warning)}>
            <IconX size={14} />
          </ActionIcon>
        </Group>
      ))}
    </div>
  )
}
