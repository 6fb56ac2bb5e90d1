/** [usePicked]: the selected guests, in the address: a link selects the same, if it is there to be seen. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Guest } from '~/api/types'
import { MOST_SELECTED } from '~/table/DataTable'
import { only, type Selected } from '~/table/selection'
import { type Picked, read, size, written } from './picked'

/** So many numbers in one question, and so many questions at a time. */
const NUMBERS = 200
const AT_ONCE = 8

const NONE: Selected<Guest> = new Map()

interface Kept {
  q: string
  /** As the address says it. */
  text: string
  /** `undefined`: to be asked for. */
  rows: Selected<Guest> | undefined
}

export interface Picking {
  selected: Selected<Guest>
  /** How many more the address names that are not in the list. */
  lost: number
  /** Why those that it names could not be asked for. */
  error: unknown
  select: (rows: Selected<Guest>) => void
}

/** What is selected belongs to what was asked: nobody acts on what they cannot see. `text` is what the address says. */
export function usePicked(q: string, text: string, change: (to: { picked: string }) => void): Picking {
  const queries = useQueryClient()
  const [kept, keep] = useState<Kept>({ q, text, rows: undefined })
  const [seen, see] = useState({ q, text })
  if (seen.q !== q || seen.text !== text) {
    see({ q, text })
    if (kept.q !== q || kept.text !== text) keep({ q, text, rows: undefined })
  }
  const key = (of: string) => ['guests', 'picked', q, of]
  const asked = useQuery({
    queryKey: key(kept.text),
    queryFn: ({ signal }) => ask(q, read(kept.text, MOST_SELECTED), signal),
    enabled: kept.rows === undefined && kept.text !== '',
    // They are acted on by their numbers; what else is known of them is in the list.
    staleTime: Number.POSITIVE_INFINITY,
  })
  const select = (rows: Selected<Guest>) => {
    const now = written(rows.values())
    queries.setQueryData(key(now), rows)
    keep({ q, text: now, rows })
    change({ picked: now })
  }
  if (kept.rows !== undefined || kept.text === '') return { selected: kept.rows ?? NONE, lost: 0, error: null, select }
  const lost = asked.data === undefined ? 0 : size(read(kept.text, MOST_SELECTED)) - asked.data.size
  return { selected: asked.data ?? NONE, lost, error: asked.error, select }
}

async function ask(q: string, picked: Picked, signal: AbortSignal): Promise<Selected<Guest>> {
  const questions = [...picked].flatMap(([remote, vmids]) =>
    Array.from({ length: Math.ceil(vmids.length / NUMBERS) }, (_, at) => {
      const some = vmids.slice(at * NUMBERS, (at + 1) * NUMBERS)
      return `${q} remote:${remote} vmid:${some.join(',')}`.trim()
    }),
  )
  const rows: Guest[] = []
  for (let at = 0; at < questions.length; at += AT_ONCE) {
    const pages = questions
      .slice(at, at + AT_ONCE)
      .map((one) => unwrap(api.GET('/api/v1/guests', { params: { query: { q: one, limit: NUMBERS } }, signal })))
    rows.push(...(await Promise.all(pages)).flatMap((page) => page.items))
  }
  return only(rows)
}
