/** Says how long it takes until the next try. The figure counts down in silence: screen readers tell it once. */
import { Alert } from '@mantine/core'
import { many } from '~/format/format'

export function Wait({ seconds }: { seconds: number }) {
  if (seconds === 0) return null
  return (
    <Alert color="yellow" role="status" title="Too many tries that failed">
      <span role="timer" aria-live="off">
        The next try is possible in {many(seconds, 'second')}.
      </span>
    </Alert>
  )
}
