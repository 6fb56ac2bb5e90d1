/** What was measured of a guest, a node or a storage, as the server tells it. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { api, unwrap } from '~/api/client'
import type { Chart, Span } from './panels'

/** What the charts are of. */
export type ChartOf =
  | { of: 'guest'; remote: string; vmid: number }
  | { of: 'node'; remote: string; node: string }
  | { of: 'storage'; remote: string; storage: string; node?: string | undefined }

/** The server reads anew twice a minute at most; longer spans change seldom. */
const AGAIN_MS: Record<Span, number> = { hour: 30_000, day: 60_000, week: 300_000, month: 600_000, year: 600_000 }

function ask(of: ChartOf, span: Span, signal: AbortSignal): Promise<Chart> {
  const { remote } = of
  switch (of.of) {
    case 'guest':
      return unwrap(
        api.GET('/api/v1/guests/{remote}/{vmid}/chart', { params: { path: { remote, vmid: of.vmid }, query: { span } }, signal }),
      )
    case 'node':
      return unwrap(
        api.GET('/api/v1/nodes/{remote}/{node}/chart', { params: { path: { remote, node: of.node }, query: { span } }, signal }),
      )
    case 'storage':
      return unwrap(
        api.GET('/api/v1/storages/{remote}/{storage}/chart', {
          params: { path: { remote, storage: of.storage }, query: of.node === undefined ? { span } : { span, node: of.node } },
          signal,
        }),
      )
  }
}

export function useChart(of: ChartOf, span: Span) {
  return useQuery({
    queryKey: ['chart', of, span],
    queryFn: ({ signal }) => ask(of, span, signal),
    placeholderData: keepPreviousData,
    refetchInterval: AGAIN_MS[span],
    // Coming back to the page asks anew only what is old by then.
    staleTime: AGAIN_MS[span] / 2,
  })
}
