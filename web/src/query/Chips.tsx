/** What there is, by state and type, as filters: pressed, a chip puts itself into the query, and takes itself out again. */
import { useQuery } from '@tanstack/react-query'
import type { Counts } from '~/api/types'
import { count, words } from '~/format/format'
import classes from './Chips.module.css'
import { toggled, valuesOf, without } from './terms'

export interface ChipsOf {
  /** The key of the query, and where its counts are. */
  key: string
  from: 'state' | 'type' | 'freshness' | 'link'
  /** Always shown, in this order, though there be none. */
  usual: readonly string[]
  /** Shown when there are any, after the usual ones; absent: whatever there is. */
  others?: readonly string[]
  word?: (value: string) => string
}

export interface ChipsProps {
  /** What the chips are about: `guests`. */
  what: string
  q: string
  onChange: (q: string) => void
  /** Of all that matches. */
  counts: Counts | undefined
  /** They are of what was asked before: chips stay where they are, without figures. */
  pending: boolean
  groups: readonly ChipsOf[]
  /** Counts for a query, at little cost. */
  ask: (q: string, signal: AbortSignal) => Promise<Counts>
}

export function Chips(props: ChipsProps) {
  return (
    <div className={classes.chips}>
      {props.groups.map((group) => (
        <Group key={group.key} {...props} group={group} />
      ))}
    </div>
  )
}

function Group({ what, q, onChange, counts, pending, group, ask }: ChipsProps & { group: ChipsOf }) {
  const active = valuesOf(q, group.key)
  // How many there would be if another chip was pressed, only the list without this key can tell.
  const rest = without(q, group.key)
  const asked = useQuery({
    queryKey: ['chips', what, rest],
    queryFn: ({ signal }) => ask(rest, signal),
    enabled: active.length > 0,
    refetchInterval: 10_000,
    placeholderData: (had) => had,
  })
  const all = active.length > 0 ? asked.data : counts
  const old = active.length > 0 ? asked.isPlaceholderData : pending
  const known = all && (all[group.from] ?? {})
  const there = Object.entries(known ?? {}).filter(([, number]) => number > 0).map(([value]) => value)
  const others = [...new Set([...there.sort(), ...active])].filter(
    (value) => !group.usual.includes(value) && (group.others?.includes(value) ?? true),
  )
  return (
    <div role="group" aria-label={`Filter ${what} by ${group.from}`} className={classes.group}>
      {[...group.usual, ...others].map((value) => (
        <button
          key={value}
          type="button"
          className={classes.chip}
          aria-pressed={active.includes(value)}
          data-none={known !== undefined && !known[value] ? true : undefined}
          onClick={() => onChange(toggled(q, group.key, value))}
        >
          <span>{(group.word ?? words)(value)}</span>
          <span className={classes.number} data-old={old || undefined}>{known === undefined ? '' : count(known[value] ?? 0)}</span>
        </button>
      ))}
    </div>
  )
}
