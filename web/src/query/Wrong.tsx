/**
 * What is wrong with a query, in words. It stands in the line under the box, in the place of the figures there: they are of
 * another question, and no row moves.
 */
import { IconAlertTriangle } from '@tabler/icons-react'
import type { Problem } from '~/api/types'
import classes from './ListBar.module.css'

export function Wrong({ id, problem }: { id: string; problem: Problem }) {
  const words = problem.detail ?? problem.title
  return (
    <div id={id} role="alert" className={classes.wrong} title={[words, problem.remedy].filter(Boolean).join(' – ')}>
      <IconAlertTriangle size={16} aria-hidden className={classes.alarm} />
      <span>
        {words}
        {problem.remedy && <span className="quiet"> – {problem.remedy}</span>}
      </span>
    </div>
  )
}
