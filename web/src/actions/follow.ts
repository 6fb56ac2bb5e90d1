/** Following operations to their end: by the live stream, or by asking while the stream is cut. */
import { useEffect, useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Operation } from '~/api/types'
import { live } from '~/live/live'

const ASK_MS = 3000
/** So many are asked for by hand at once while the stream is cut. */
const BY_HAND = 20

/** Tells how an operation stands until it has ended, or what comes back is called. */
export function follow(first: Operation, told: (operation: Operation) => void): () => void {
  if (first.final) {
    told(first)
    return () => undefined
  }
  return followAll([first], told)
}

/** The same for several. */
export function followAll(first: readonly Operation[], told: (operation: Operation) => void): () => void {
  const open = new Map(first.filter((one) => !one.final).map((one) => [one.id, one]))
  let over = open.size === 0
  const hear = (operation: Operation) => {
    const had = open.get(operation.id)
    if (over || had === undefined || had === operation) return
    if (operation.final) open.delete(operation.id)
    else open.set(operation.id, operation)
    told(operation)
    if (open.size === 0) end()
  }
  const look = () => {
    for (const id of [...open.keys()]) {
      const row = live.state.operations?.get(id)
      if (row) hear(row)
    }
  }
  // What the stream does not tell (it is cut, or has not told yet) is asked for.
  const ask = () => {
    const untold = [...open.keys()].filter((id) => live.status.state !== 'live' || !live.state.operations?.has(id))
    for (const id of untold.slice(0, BY_HAND)) {
      unwrap(api.GET('/api/v1/operations/{id}', { params: { path: { id } } })).then(hear, () => undefined)
    }
  }
  if (over) return () => undefined
  const leave = live.topic('operations')
  const unsubscribe = live.subscribe(look)
  const timer = setInterval(ask, ASK_MS)
  const end = () => {
    if (over) return
    over = true
    unsubscribe()
    clearInterval(timer)
    leave()
  }
  queueMicrotask(look)
  return end
}

/** Operations as they stand now, in the order given. */
export function useFollowed(first: readonly Operation[]): readonly Operation[] {
  const [known, setKnown] = useState<ReadonlyMap<string, Operation>>(() => new Map())
  const ids = first.map((one) => one.id).join(' ')
  useEffect(
    () => followAll(first, (operation) => setKnown((had) => new Map(had).set(operation.id, operation))),
    // Which ones are followed is said by their ids: the rows themselves change all the time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [ids],
  )
  return first.map((one) => known.get(one.id) ?? one)
}
