/** A button that may not be pressed now: still there, still reached by keyboard, and it says why. */
import { Tooltip } from '@mantine/core'
import { cloneElement, type ReactElement } from 'react'

interface Pressable {
  onClick?: (event: React.MouseEvent) => void
  'data-disabled'?: boolean
  'aria-disabled'?: boolean
}

/** `why`: why not, with what would mend it; `undefined`: it may be pressed. */
export function Blocked({ why, children }: { why: string | undefined; children: ReactElement<Pressable> }) {
  if (why === undefined) return children
  return (
    <Tooltip label={why}>
      {cloneElement(children, {
        'data-disabled': true,
        'aria-disabled': true,
        onClick: (event: React.MouseEvent) => event.preventDefault(),
      })}
    </Tooltip>
  )
}
