/** Answers that departed from what is documented, and rows that could not be read: shown raw, dropped never. */
import { Code, Group, Stack, Text } from '@mantine/core'
import type { Remote } from '~/api/types'
import { words } from '~/format/format'
import { DriftTable } from '~/ui/DriftTable'
import { Empty } from '~/ui/Empty'
import { Copy } from '~/ui/Id'
import { Panel } from '~/ui/Panel'
import { FACETS } from '../decide'
import classes from '../remotes.module.css'

export function Drift({ remote }: { remote: Remote }) {
  const drift = remote.drift ?? []
  const unreadable = remote.unreadable ?? []
  if (drift.length === 0 && unreadable.length === 0) {
    return (
      <Empty title="No drift">
        Every field of the last answers had its documented type, and every row could be read. Fields that depart are left out of what is
        shown, and stand here as they came.
      </Empty>
    )
  }
  return (
    <Stack gap="sm">
      {unreadable.length > 0 && (
        <Panel title={`Rows that could not be read: ${unreadable.length}`}>
          <Text size="sm" className="quiet">
            They are in no list. This is what came.
          </Text>
          {unreadable.map((row, index) => (
            <Stack key={index} gap={2}>
              <Text size="sm" className="name">
                {FACETS[row.facet] ?? words(row.facet)}: {row.why}
              </Text>
              <Group gap={4} align="flex-start" wrap="nowrap">
                <Code block className={classes.raw} style={{ flex: 1, minWidth: 0 }}>
                  {row.raw}
                </Code>
                <Copy text={row.raw} what="row" />
              </Group>
            </Stack>
          ))}
        </Panel>
      )}
      {drift.length > 0 && (
        <Panel title={`Fields of another type than documented: ${drift.length}`}>
          <Text size="sm" className="quiet">
            These values are taken as unknown; everything beside them was read.
          </Text>
          <DriftTable drift={drift} counted />
        </Panel>
      )}
    </Stack>
  )
}
