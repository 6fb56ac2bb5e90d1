/** Why what a table shows is not newer, in a strip at its end: it moves no row. */
import { Button } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { problemFrom } from '~/api/client'
import classes from './DataTable.module.css'

export function Failure({ error, title, again }: { error: unknown; title?: string | undefined; again: () => void }) {
  const problem = problemFrom(error)
  const words = [title, problem.title, problem.detail, problem.remedy].filter((part) => part != null && part !== '')
  return (
    <div role="alert" className={classes.failure} data-overlay>
      <IconAlertTriangle size={16} aria-hidden className={classes.alarm} />
      <span>{[...new Set(words)].map((part) => part?.replace(/\.$/, '')).join('. ')}.</span>
      <Button size="compact-xs" variant="default" onClick={again}>
        Try again
      </Button>
    </div>
  )
}
