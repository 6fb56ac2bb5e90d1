/** Following operations to their end: by the live stream, or by asking while the stream is cut. */
import { useEffect, useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import type { Operation } from '~/api/types'
import { told as toldByStream, watch } from './watch'

/** So many are asked for by hand at once while the stream is cut. */
const BY_HAND = 20

/** Answers after which an operation is told to this person no more: signed out, not allowed any more, no longer kept. */
const NO_MORE = new Set([401, 403, 404])

export interface Follower {
  told: (operation: Operation) => void
  /** It has not ended, and will not be told any more: why. */
  lost?: (operation: Operation, error: Refusal) => void
}

/** Tells how an operation stands until it has ended, or what comes back is called. */
export function follow(first: Operation, follower: Follower): () => void {
  if (first.final) {
    follower.told(first)
    return () => undefined
  }
  return followAll([first], follower)
}

/** The same for several. */
export function followAll(first: readonly Operation[], { told, lost }: Follower): () => void {
  const open = new Map(first.filter((one) => !one.final).map((one) => [one.id, one]))
  if (open.size === 0) return () => undefined
  let over = false
  const end = () => {
    over = true
    stop()
  }
  const hear = (operation: Operation) => {
    const had = open.get(operation.id)
    if (over || had === undefined || had === operation) return
    if (operation.final) open.delete(operation.id)
    else open.set(operation.id, operation)
    told(operation)
    if (open.size === 0) end()
  }
  const fail = (id: string, error: unknown) => {
    const had = open.get(id)
    if (over || had === undefined || !(error instanceof Refusal) || !NO_MORE.has(error.status)) return
    open.delete(id)
    lost?.(had, error)
    if (open.size === 0) end()
  }
  const look = () => {
    for (const id of [...open.keys()]) {
      const row = toldByStream()?.get(id)
      if (row) hear(row)
    }
  }
  // What the stream does not tell (it is cut, or has not told yet) is asked for.
  const ask = () => {
    const untold = [...open.keys()].filter((id) => !toldByStream()?.has(id))
    for (const id of untold.slice(0, BY_HAND)) {
      unwrap(api.GET('/api/v1/operations/{id}', { params: { path: { id } } })).then(hear, (error: unknown) => fail(id, error))
    }
  }
  const stop = watch({ look, ask })
  return end
}

/** Operations as they stand now, in the order given. */
export function useFollowed(first: readonly Operation[]): readonly Operation[] {
  const [known, setKnown] = useState<ReadonlyMap<string, Operation>>(() => new Map())
  const ids = first.map((one) => one.id).join(' ')
  useEffect(
    () => followAll(first, { told: (operation) => setKnown((had) => new Map(had).set(operation.id, operation)) }),
    // Which ones are followed is said by their ids: the rows themselves change all the time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [ids],
  )
  return first.map((one) => known.get(one.id) ?? one)
}
