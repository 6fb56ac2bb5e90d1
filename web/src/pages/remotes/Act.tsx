/** A button for something that may be forbidden: then it stays where it is, reachable, and says why. */
import { Button, type ButtonProps, Tooltip } from '@mantine/core'

export interface ActProps extends ButtonProps {
  /** Why it may not be done now, and what would change that; absent: it may. */
  forbidden?: string | undefined
  /** What it does, where its words do not say all of it. */
  hint?: string | undefined
  onClick: () => void
}

export function Act({ forbidden, hint, onClick, children, ...rest }: ActProps) {
  const button = (
    <Button
      size="compact-sm"
      variant="default"
      {...rest}
      data-disabled={forbidden !== undefined || undefined}
      aria-disabled={forbidden !== undefined || undefined}
      onClick={(event) => {
        event.preventDefault()
        if (forbidden === undefined) onClick()
      }}
    >
      {children}
    </Button>
  )
  const label = forbidden ?? hint
  return label === undefined ? button : <Tooltip label={label}>{button}</Tooltip>
}
