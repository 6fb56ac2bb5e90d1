/** What of a reply did not have its documented form, in words, with the details to be unfolded. */
import { Button, Collapse, Group, Paper, Table, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconInfoCircle } from '@tabler/icons-react'
import type { Drift } from '~/api/types'
import { many } from '~/format/format'

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
        <Table.ScrollContainer minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Field</Table.Th>
                <Table.Th>Documented</Table.Th>
                <Table.Th>Came as</Table.Th>
                <Table.Th>Sample</Table.Th>
                <Table.Th>Call</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {drift.map((one) => (
                <Table.Tr key={`${one.call} ${one.field} ${one.found} ${one.row ?? ''}`}>
                  <Table.Td className="mono">{one.field}</Table.Td>
                  <Table.Td>{one.expected}</Table.Td>
                  <Table.Td>{one.found}</Table.Td>
                  <Table.Td className="mono">{one.sample}</Table.Td>
                  <Table.Td className="mono">{one.call}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Collapse>
    </Paper>
  )
}
