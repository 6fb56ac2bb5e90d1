/** A part of a page, with its heading. */
import { Group, Paper, Stack, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Still } from './useStill'

export interface PanelProps {
  title: string
  /** Beside the heading: how many, a way to all of them. */
  beside?: ReactNode
  className?: string | undefined
  /** What a list in it needs to stand still. */
  around?: Still<unknown>['around']
  children: ReactNode
}

export function Panel({ title, beside, className, around, children }: PanelProps) {
  return (
    <Paper withBorder p={{ base: 'sm', sm: 'md' }} component="section" aria-label={title} className={className} {...around}>
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
