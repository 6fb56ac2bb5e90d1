/** Fields of replies that did not have their documented form, each as it came. */
import { Code, Table } from '@mantine/core'
import type { Drift } from '~/api/types'
import { count } from '~/format/format'

/** `counted`: where several answers are told of, how often each came. */
export function DriftTable({ drift, counted = false }: { drift: readonly Drift[]; counted?: boolean }) {
  return (
    <Table.ScrollContainer minWidth={counted ? 760 : 560}>
      <Table aria-label="Drift">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Field</Table.Th>
            <Table.Th>Documented</Table.Th>
            <Table.Th>Came as</Table.Th>
            <Table.Th>Sample</Table.Th>
            <Table.Th>Call</Table.Th>
            {counted && <Table.Th>Times</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {drift.map((one) => (
            <Table.Tr key={`${one.call} ${one.field} ${one.found} ${one.row ?? ''}`}>
              <Table.Td className="mono">
                {one.field}
                {one.row != null && <span className="quiet"> (row {one.row})</span>}
              </Table.Td>
              <Table.Td>{one.expected}</Table.Td>
              <Table.Td>{one.found}</Table.Td>
              <Table.Td maw={320}>
                <Code style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{one.sample}</Code>
              </Table.Td>
              <Table.Td className="mono">{one.call}</Table.Td>
              {counted && <Table.Td className="figures">{count(one.count)}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
