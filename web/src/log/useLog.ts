/** A task's log, read as far as it goes and on while the task runs. */
import { useEffect, useReducer, useRef } from 'react'
import { api, unwrap } from '~/api/client'

/** So many lines are asked for at once. */
const PAGE = 1000
/** A task that runs is asked for more after this long; after a failure too. */
const PAUSE_MS = 1500

export interface Log {
  lines: readonly string[]
  /** How the task stood when the last lines were read; `undefined` before. */
  outcome: string | undefined
  /** Why the lines that come next could not be read. What was read stays. */
  error: unknown
  /** The first lines have come. */
  begun: boolean
}

type Step = { type: 'new' } | { type: 'read'; start: number; lines: string[]; outcome: string | undefined } | { type: 'failed'; error: unknown }

const EMPTY: Log = { lines: [], outcome: undefined, error: undefined, begun: false }

/** The log after a step. */
export function stepped(log: Log, step: Step): Log {
  switch (step.type) {
    case 'new':
      return EMPTY
    case 'failed':
      return { ...log, error: step.error }
    case 'read': {
      // What comes twice is put in once.
      const lines = [...log.lines.slice(0, step.start), ...step.lines]
      return { lines, outcome: step.outcome, error: undefined, begun: true }
    }
  }
}

/** Whether more may come after this. */
export function mayGrow(log: Log): boolean {
  return log.outcome === undefined || log.outcome === 'running'
}

/** Follows a log. `paused`: reads no further until it is false again. */
export function useLog(remote: string, upid: string, paused: boolean): Log {
  const [log, step] = useReducer(stepped, EMPTY)
  // So far it was read: a pause takes nothing back.
  const read = useRef(0)
  useEffect(() => {
    read.current = 0
    step({ type: 'new' })
  }, [remote, upid])
  useEffect(() => {
    if (paused) return
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const go = async () => {
      try {
        const page = await unwrap(
          api.GET('/api/v1/tasks/{remote}/{upid}/log', {
            params: { path: { remote, upid }, query: { start: read.current, limit: PAGE } },
            signal: stop.signal,
          }),
        )
        if (stop.signal.aborted) return
        step({ type: 'read', start: page.start, lines: page.lines, outcome: page.outcome?.outcome })
        read.current = page.start + page.lines.length
        if (page.lines.length >= PAGE) return void go()
        if (page.outcome?.outcome !== undefined && page.outcome.outcome !== 'running') return
      } catch (error) {
        if (stop.signal.aborted) return
        step({ type: 'failed', error })
      }
      timer = setTimeout(() => void go(), PAUSE_MS)
    }
    void go()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [remote, upid, paused])
  return log
}
