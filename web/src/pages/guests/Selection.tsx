/** What may be done with the selected guests. */
import { ActionIcon, Button, Menu, Text, Tooltip } from '@mantine/core'
import { IconChevronDown, IconX } from '@tabler/icons-react'
import { openDialog } from '~/actions/operate'
import { POWER } from '~/actions/table'
import type { Action } from '~/api/types'
import { count, many } from '~/format/format'
import { useMay } from '~/shell/session'
import { MOST_SELECTED } from '~/table/DataTable'
import { problemFrom } from '~/api/client'
import classes from './guests.module.css'
import type { Picking } from './usePicked'

/** Beside the list there is room for these; the others are in the menu. */
const FIRST: readonly Action[] = ['start', 'shutdown', 'reboot', 'stop']
const NEEDS = 'Needs the role operator'

interface SelectionProps {
  picking: Picking
  total: number | undefined
  onClear: () => void
}

export function Selection({ picking: { selected, lost, error }, total, onClear }: SelectionProps) {
  const may = useMay('operator', 'any')
  const act = (action: Action) => {
    const targets = [...selected.values()].map((row) => ({
      remote: String(row.remote_id),
      vmid: row.vmid,
      name: row.name,
      node: row.node,
    }))
    // One or many: what was picked is shown before anything is sent.
    if (may) openDialog({ action, targets })
  }
  const full = selected.size >= MOST_SELECTED && total !== undefined && total > selected.size
  return (
    <div className={classes.selection} role="toolbar" aria-label="Selected guests">
      <Text size="sm" fw={600} component="span" role="status" className="figures" style={{ whiteSpace: 'nowrap' }}>
        {error !== null
          ? `What the address selects could not be asked for: ${problemFrom(error).title}`
          : full
            ? `the first ${count(selected.size)} of ${count(total)} selected`
            : `${many(selected.size, 'guest')} selected`}
        {lost > 0 && `, ${count(lost)} more ${lost === 1 ? 'is' : 'are'} not in this list`}
      </Text>
      <Tooltip label="Select none">
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Select none" onClick={onClear}>
          <IconX size={14} />
        </ActionIcon>
      </Tooltip>
      {POWER.filter(({ action }) => FIRST.includes(action)).map(({ action, label, icon: Icon, harsh }) => (
        <Tooltip key={action} label={may ? `${label}: you are asked before anything is sent` : NEEDS}>
          <Button
            size="compact-sm"
            variant="default"
            c={harsh && may ? 'var(--muster-bad)' : undefined}
            leftSection={<Icon size={14} />}
            data-disabled={may ? undefined : true}
            aria-disabled={!may}
            onClick={() => act(action)}
            style={{ flex: 'none' }}
          >
            {label}…
          </Button>
        </Tooltip>
      ))}
      <Menu withinPortal position="bottom-end">
        <Menu.Target>
          <Button size="compact-sm" variant="default" rightSection={<IconChevronDown size={14} />} style={{ flex: 'none' }}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {POWER.filter(({ action }) => !FIRST.includes(action)).map(({ action, label, icon: Icon }) => (
            <Menu.Item
              key={action}
              leftSection={<Icon size={16} />}
              data-disabled={may ? undefined : true}
              aria-disabled={!may}
              title={may ? undefined : NEEDS}
              onClick={() => act(action)}
            >
              {label}…
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </div>
  )
}
