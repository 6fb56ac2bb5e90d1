/** A name over a figure or bar, several beside each other. */
import type { ReactNode } from 'react'
import classes from './meter.module.css'

export function Meters({ children }: { children: ReactNode }) {
  return <dl className={classes.meters}>{children}</dl>
}

export function Meter({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.meter}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
