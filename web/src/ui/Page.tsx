/** A page: its title, what may be done on it, and its body. The document's title follows. */
import { Box, Group, Stack, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import type { ReactNode } from 'react'

export interface PageProps {
  title: string
  /** Beside the title: states, counts. */
  beside?: ReactNode
  /** What may be done here. */
  actions?: ReactNode
  /** Fills the window: the body scrolls, not the page. */
  full?: boolean
  children: ReactNode
}

export function Page({ title, beside, actions, full, children }: PageProps) {
  useDocumentTitle(`${title} · Muster`)
  return (
    <Stack
      gap="sm"
      p={{ base: 'sm', sm: 'md' }}
      style={full ? { height: 'calc(100dvh - var(--app-shell-header-height) - var(--banner-height, 0px) - var(--cut-height, 0px))', minHeight: 360 } : undefined}
    >
      <Group justify="space-between" gap="sm" wrap="wrap">
        <Group gap="sm" style={{ minWidth: 0 }}>
          <Title order={1} className="name">
            {title}
          </Title>
          {beside}
        </Group>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      <Box style={full ? { flex: 1, minHeight: 0, display: 'flex', flexDirection: 'column' } : undefined}>{children}</Box>
    </Stack>
  )
}
