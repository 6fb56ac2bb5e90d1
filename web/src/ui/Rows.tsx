/** A short list of things with what may be done to each: no table, so that it fits a telephone as well. */
import type { ReactNode } from 'react'
import classes from './rows.module.css'

export function Rows({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul className={classes.rows} aria-label={label}>
      {children}
    </ul>
  )
}

export interface RowProps {
  /** What it is called, and marks beside it. */
  title: ReactNode
  /** What is known of it, a line or two. */
  children?: ReactNode
  /** What may be done to it. */
  actions?: ReactNode
  /** Under both, as wide as the list. */
  below?: ReactNode
}

export function Row({ title, children, actions, below }: RowProps) {
  return (
    <li className={classes.row}>
      <div className={classes.text}>
        <div className={classes.title}>{title}</div>
        {children && <div className={classes.facts}>{children}</div>}
      </div>
      {actions && <div className={classes.actions}>{actions}</div>}
      {below && <div className={classes.below}>{below}</div>}
    </li>
  )
}
