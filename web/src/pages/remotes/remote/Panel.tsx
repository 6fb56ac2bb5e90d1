/** A part of a page with a heading. */
import { Group, Paper, Stack, Title } from '@mantine/core'
import type { ReactNode } from 'react'

export function Panel({ title, beside, children }: { title: string; beside?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-label={title}>
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Title order={2}>{title}</Title>
          {beside}
        </Group>
        {children}
      </Stack>
    </Paper>
  )
}
