/** Says that lines have come to a list that stands still, and shows them. */
import { Button } from '@mantine/core'
import { count } from '~/format/format'

export function Waiting({ number, show }: { number: number; show: () => void }) {
  return (
    <Button size="compact-xs" variant="light" onClick={show}>
      {count(number)} new: show
    </Button>
  )
}
