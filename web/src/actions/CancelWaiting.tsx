/** Takes back, of several operations, all that wait. */
import { Text } from '@mantine/core'
import { useState } from 'react'
import type { Operation } from '~/api/types'
import { count } from '~/format/format'
import { Button } from '~/ui/Button'
import { type Cancelled, cancelAll, cancelledText, waits } from './cancel'

/** Its sentence stays where the button was. */
export function CancelWaiting({ operations }: { operations: readonly Operation[] }) {
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useState<Cancelled>()
  const waiting = operations.filter(waits)
  const go = () => {
    setBusy(true)
    void cancelAll(waiting)
      .then(setMade)
      .finally(() => setBusy(false))
  }
  return (
    <>
      {made && (
        <Text size="sm" role="status" className="name">
          {cancelledText(made)}
        </Text>
      )}
      {(waiting.length > 0 || busy) && (
        <Button variant="default" loading={busy} onClick={go}>
          Cancel what waits: {count(waiting.length)}
        </Button>
      )}
    </>
  )
}
