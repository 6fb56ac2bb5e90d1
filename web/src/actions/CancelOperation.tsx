/** Takes back an operation that waits: a button for its page, an item for its row in a list. What came of it is said by the operation. */
import { Menu, Text } from '@mantine/core'
import { IconCancel } from '@tabler/icons-react'
import { useState } from 'react'
import type { Operation } from '~/api/types'
import { useMay } from '~/shell/session'
import { Blocked } from '~/ui/Blocked'
import { Button } from '~/ui/Button'
import { sayNotDone } from '~/ui/notDone'
import { cancel, waits } from './cancel'
import { whyNotCancel } from './decide'
import { power } from './table'

/** Cancels; where that fails, it is said in a corner of the window. `told` gets the operation as it stands then. */
async function cancelAloud(operation: Operation, told?: (now: Operation) => void): Promise<void> {
  try {
    const now = await cancel(operation)
    told?.(now)
  } catch (error) {
    const what = `${power(operation.action).verb} ${operation.name ?? operation.vmid}`
    sayNotDone(error, `Not cancelled: ${what}`, () => void cancelAloud(operation, told))
  }
}

/** Nothing for an operation that does not wait: what has left is ended by its task. */
export function CancelButton({ operation, told }: { operation: Operation; told?: (now: Operation) => void }) {
  const may = useMay('operator', operation.remote_id)
  const [busy, setBusy] = useState(false)
  if (!waits(operation)) return null
  return (
    <Blocked why={whyNotCancel(operation, may)}>
      <Button
        size="compact-sm"
        variant="default"
        leftSection={<IconCancel size={15} stroke={1.8} />}
        loading={busy}
        onClick={() => {
          setBusy(true)
          void cancelAloud(operation, told).finally(() => setBusy(false))
        }}
      >
        Cancel
      </Button>
    </Blocked>
  )
}

/** To be put into a `Menu.Dropdown`. */
export function CancelItem({ operation }: { operation: Operation }) {
  const why = whyNotCancel(operation, useMay('operator', operation.remote_id))
  return (
    <Menu.Item
      leftSection={<IconCancel size={16} stroke={1.8} />}
      data-disabled={why === undefined ? undefined : true}
      aria-disabled={why !== undefined}
      closeMenuOnClick={why === undefined}
      onClick={() => why === undefined && void cancelAloud(operation)}
    >
      Cancel
      {why !== undefined && (
        <Text size="xs" className="quiet">
          {why}
        </Text>
      )}
    </Menu.Item>
  )
}
