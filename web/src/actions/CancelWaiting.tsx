/** Takes back, of several operations, all that wait. */
import { Text } from '@mantine/core'
import { useState } from 'react'
import type { Operation } from '~/api/types'
import { count } from '~/format/format'
import { Button } from '~/ui/Button'
import { type Cancelled, cancelAll, cancelledText, waits } from './cancel'

interface CancelWaitingProps {
  operations: readonly Operation[]
  /** What became of it, once it was asked for: shown where the button was; of each in its own row. */
  made: Cancelled | undefined
  done: (made: Cancelled) => void
}

export function CancelWaiting({ operations, made, done }: CancelWaitingProps) {
  const [busy, setBusy] = useState(false)
  const waiting = operations.filter(waits)
  const go = () => {
    setBusy(true)
    void cancelAll(waiting)
      .then(done)
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
