/** What is known of a thing, as pairs of name and value. */
import type { ReactNode } from 'react'
import classes from './facts.module.css'

export interface Fact {
  name: string
  value: ReactNode
}

interface FactsProps {
  facts: readonly (Fact | false | null | undefined)[]
  /** Each on a line of its own, beside its name: for long values, in a narrow place. */
  inRows?: boolean
}

export function Facts({ facts, inRows = false }: FactsProps) {
  return (
    <dl className={inRows ? classes.rows : classes.facts}>
      {facts.map(
        (fact) =>
          fact && (
            <div key={fact.name}>
              <dt>{fact.name}</dt>
              <dd>{fact.value}</dd>
            </div>
          ),
      )}
    </dl>
  )
}
