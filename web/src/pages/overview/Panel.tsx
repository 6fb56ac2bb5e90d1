/** A part of the overview, with its heading. */
import { Group, Paper, Title } from '@mantine/core'
import type { ReactNode } from 'react'

export interface PanelProps {
  title: string
  beside?: ReactNode
  className?: string | undefined
  children: ReactNode
}

export function Panel({ title, beside, className, children }: PanelProps) {
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-label={title} className={className}>
      <Group justify="space-between" gap="xs" mb="xs">
        <Title order={2}>{title}</Title>
        {beside}
      </Group>
      {children}
    </Paper>
  )
}
