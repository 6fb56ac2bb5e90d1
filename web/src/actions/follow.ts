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
  const { told, lost } = follower
  return followAll(new Map([[first.id, first]]), { told, lost: (_, error, last) => lost?.(last ?? first, error) })
}

/** For several, by their ids. `last` is absent where nothing was ever told of one. */
interface Followers {
  told: (operation: Operation) => void
  lost: (id: string, error: Refusal, last: Operation | undefined) => void
}

/** The same for several; of some of them nothing may be known yet but the id. */
export function followAll(first: ReadonlyMap<string, Operation | undefined>, { told, lost }: Followers): () => void {
  const open = new Map([...first].filter(([, one]) => one?.final !== true))
  if (open.size === 0) return () => undefined
  let over = false
  const end = () => {
    over = true
    stop()
  }
  const hear = (operation: Operation) => {
    if (over || !open.has(operation.id) || open.get(operation.id) === operation) return
    if (operation.final) open.delete(operation.id)
    else open.set(operation.id, operation)
    told(operation)
    if (open.size === 0) end()
  }
  const fail = (id: string, error: unknown) => {
    if (over || !open.has(id) || !(error instanceof Refusal) || !NO_MORE.has(error.status)) return
    const last = open.get(id)
    open.delete(id)
    lost(id, error, last)
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

/** What is known of several operations now. */
export interface Followed {
  operations: ReadonlyMap<string, Operation>
  /** Those that are told no more, and why. */
  lost: ReadonlyMap<string, Refusal>
}

/** Follows operations by their ids; `first` is what is known of them to begin with. */
export function useFollowed(ids: readonly string[], first: readonly Operation[]): Followed {
  const [known, setKnown] = useState<ReadonlyMap<string, Operation>>(() => new Map(first.map((one) => [one.id, one])))
  const [lost, setLost] = useState<ReadonlyMap<string, Refusal>>(() => new Map())
  const all = ids.join(' ')
  useEffect(() => {
    const begun = new Map(first.map((one) => [one.id, one]))
    return followAll(new Map(ids.map((id) => [id, begun.get(id)])), {
      told: (operation) => setKnown((had) => new Map(had).set(operation.id, operation)),
      lost: (id, error) => setLost((had) => new Map(had).set(id, error)),
    })
    // Which ones are followed is said by their ids: the rows themselves change all the time.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [all])
  return { operations: known, lost }
}
