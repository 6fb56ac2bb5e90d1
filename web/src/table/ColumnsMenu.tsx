/** What of a list is shown: its columns and their order, and how close its rows stand. */
import { ActionIcon, Button, Checkbox, Group, Popover, ScrollArea, SegmentedControl, Stack, Text, Tooltip } from '@mantine/core'
import { IconAdjustmentsHorizontal, IconArrowDown, IconArrowUp } from '@tabler/icons-react'
import { usePreference } from '~/preferences/preferences'
import { useCards } from './cards'
import { useColumns } from './columns'
import type { Column, Identified } from './types'

export function ColumnsMenu<R extends Identified>({ name, columns }: { name: string; columns: readonly Column<R>[] }) {
  const cards = useCards()
  const { shown, all, choose, usual } = useColumns(name, columns)
  const [density, setDensity] = usePreference('density')
  const ids = shown.map((column) => column.id)
  const move = (id: string, by: number) => {
    const at = ids.indexOf(id)
    const next = ids.filter((one) => one !== id)
    next.splice(at + by, 0, id)
    choose(next)
  }
  // Cards have no columns, and one height.
  if (cards) return null
  const fixed = shown.filter((column) => column.always).length
  return (
    <Popover position="bottom-end" withinPortal trapFocus shadow="md">
      <Popover.Target>
        <Tooltip label="Columns and density">
          <ActionIcon variant="default" size="input-sm" aria-label="Columns and density">
            <IconAdjustmentsHorizontal size={18} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown aria-label="Columns and density" p="xs">
        <Stack gap="xs">
          <SegmentedControl
            size="xs"
            aria-label="Density"
            value={density ?? 'comfortable'}
            onChange={(to) => setDensity(to)}
            data={[
              { value: 'comfortable', label: 'Comfortable' },
              { value: 'compact', label: 'Compact' },
            ]}
          />
          <ScrollArea.Autosize mah="min(50vh, 420px)" type="auto" offsetScrollbars="y">
            <Stack gap={2} component="ul" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Columns">
              {all.map((column) => {
                const at = ids.indexOf(column.id)
                return (
                  <Group key={column.id} component="li" gap={2} wrap="nowrap" justify="space-between" miw={250} mih={24} title={column.what}>
                    <Checkbox
                      size="xs"
                      label={column.title}
                      checked={at >= 0}
                      disabled={column.always}
                      onChange={() => choose(at >= 0 ? ids.filter((id) => id !== column.id) : [...ids, column.id])}
                    />
                    {at >= 0 && !column.always && (
                      <Group gap={0} wrap="nowrap">
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size="sm"
                          aria-label={`Move ${column.title} before`}
                          disabled={at <= fixed}
                          onClick={() => move(column.id, -1)}
                        >
                          <IconArrowUp size={14} />
                        </ActionIcon>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          size="sm"
                          aria-label={`Move ${column.title} after`}
                          disabled={at === ids.length - 1}
                          onClick={() => move(column.id, 1)}
                        >
                          <IconArrowDown size={14} />
                        </ActionIcon>
                      </Group>
                    )}
                  </Group>
                )
              })}
            </Stack>
          </ScrollArea.Autosize>
          <Group justify="space-between">
            <Text size="xs" className="quiet">
              {ids.length} of {all.length}
            </Text>
            <Button size="compact-xs" variant="subtle" disabled={usual} onClick={() => choose(null)}>
              Usual columns
            </Button>
          </Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
