/** A button that may not be pressed now: still there, still reached by keyboard, and it says why. */
import { Tooltip } from '@mantine/core'
import { cloneElement, type ReactElement } from 'react'
import { Button, type ButtonProps } from './Button'

interface Pressable {
  onClick?: (event: React.MouseEvent) => void
  'data-disabled'?: boolean
  'aria-disabled'?: boolean
}

interface BlockedProps {
  /** Why not, with what would mend it; `undefined`: it may be pressed. */
  why: string | undefined
  /** What it does, where its words do not say all of it. */
  hint?: string | undefined
  children: ReactElement<Pressable>
}

export function Blocked({ why, hint, children }: BlockedProps) {
  const label = why ?? hint
  // The same elements either way: what has the focus keeps it when it may be pressed again.
  return (
    <Tooltip label={label} disabled={label === undefined}>
      {why === undefined
        ? children
        : cloneElement(children, {
            'data-disabled': true,
            'aria-disabled': true,
            onClick: (event: React.MouseEvent) => event.preventDefault(),
          })}
    </Tooltip>
  )
}

export interface ActProps extends Omit<ButtonProps, 'onClick'> {
  /** Why it may not be done now, and what would change that; absent: it may. */
  forbidden?: string | undefined
  hint?: string | undefined
  onClick: () => void
}

/** A small button for something that may be forbidden. */
export function Act({ forbidden, hint, onClick, children, ...rest }: ActProps) {
  return (
    <Blocked why={forbidden} hint={hint}>
      <Button size="compact-sm" variant="default" {...rest} onClick={onClick}>
        {children}
      </Button>
    </Blocked>
  )
}
