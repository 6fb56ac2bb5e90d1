/** A list that keeps its lines in their places while somebody points at it, or has come into it by keyboard. */
import { type FocusEvent, useRef, useState } from 'react'

export interface Kept<T> {
  item: T
  /** It is in the list no longer, and stays only while somebody points at it. */
  over: boolean
}

/**
 * What is shown of `latest` while `shown` has to stay where it is: each line in its place, anew where it has changed. What
 * has come before one of them waits; with `grows`, what has come behind all of them is put there.
 */
export function still<T>(
  shown: readonly T[],
  latest: readonly T[],
  id: (item: T) => string | number,
  grows = false,
): { lines: Kept<T>[]; waiting: number } {
  const now = new Map(latest.map((item) => [id(item), item]))
  const held = new Set(shown.map(id))
  const end = grows ? latest.findLastIndex((item) => held.has(id(item))) : latest.length
  const behind = grows ? latest.slice(end + 1) : []
  return {
    lines: [
      ...shown.map((item) => ({ item: now.get(id(item)) ?? item, over: !now.has(id(item)) })),
      ...behind.map((item) => ({ item, over: false })),
    ],
    waiting: latest.slice(0, end).filter((item) => !held.has(id(item))).length,
  }
}

export interface Still<T> {
  lines: Kept<T>[]
  /** So many lines have come and are not shown. */
  waiting: number
  /** Shows them. */
  show: () => void
  /** For the element around the lines. */
  around: {
    onPointerEnter: () => void
    onPointerLeave: () => void
    onFocus: (event: FocusEvent<HTMLElement>) => void
    onBlur: (event: FocusEvent<HTMLElement>) => void
  }
}

/** `of`: what the list is of; of something else nothing is kept. */
export function useStill<T>(latest: readonly T[], id: (item: T) => string | number, { grows = false, of = '' } = {}): Still<T> {
  const [kept, keep] = useState<{ of: string; items: readonly T[] }>()
  const there = useRef({ pointer: false, keys: false })
  const come = (change: Partial<typeof there.current>) => {
    Object.assign(there.current, change)
    if (there.current.pointer || there.current.keys) keep((had) => (had?.of === of ? had : { of, items: latest }))
    else keep(undefined)
  }
  const held = kept?.of === of ? kept.items : undefined
  const { lines, waiting } = held
    ? still(held, latest, id, grows)
    : { lines: latest.map((item) => ({ item, over: false })), waiting: 0 }
  return {
    lines,
    waiting,
    show: () => keep({ of, items: latest }),
    around: {
      onPointerEnter: () => come({ pointer: true }),
      onPointerLeave: () => come({ pointer: false }),
      // A line that was pressed has the focus for long after the pointer has gone.
      onFocus: (event) => come({ keys: event.target.matches(':focus-visible') }),
      onBlur: (event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) come({ keys: false })
      },
    },
  }
}
