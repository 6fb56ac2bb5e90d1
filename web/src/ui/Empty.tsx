/** Nothing to show, and why: nothing there yet, nothing that fits, or nothing that may be seen. */
import { Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center" role="status">
      <Title order={3}>{title}</Title>
      {children && (
        <Text size="sm" className="quiet" maw={520}>
          {children}
        </Text>
      )}
      {action}
    </Stack>
  )
}
