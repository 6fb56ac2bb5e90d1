/** What of a reply did not have its documented form, in words, with the details to be unfolded. */
import { Button, Collapse, Group, Paper, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconInfoCircle } from '@tabler/icons-react'
import type { Drift } from '~/api/types'
import { many } from '~/format/format'
import { DriftTable } from './DriftTable'

export function DriftNote({ drift }: { drift: readonly Drift[] }) {
  const [open, details] = useDisclosure(false)
  if (drift.length === 0) return null
  return (
    <Paper withBorder p="xs" role="note">
      <Group gap="xs" justify="space-between">
        <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
          <IconInfoCircle size={16} style={{ flex: 'none' }} aria-hidden />
          <Text size="sm">{many(drift.length, 'field')} came in another form than documented. Everything else is shown as it was told.</Text>
        </Group>
        <Button size="compact-sm" variant="subtle" color="gray" onClick={details.toggle} aria-expanded={open}>
          Details
        </Button>
      </Group>
      <Collapse expanded={open}>
        <DriftTable drift={drift} />
      </Collapse>
    </Paper>
  )
}
