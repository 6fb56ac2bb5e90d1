/** Times: how long ago, with the exact instant on hover and for screen readers. */
import { Tooltip } from '@mantine/core'
import { ago, DASH, exact } from '~/format/format'
import { useNow } from './now'

/** An instant of the API as milliseconds since 1970. */
export function instant(at: string | number | null | undefined): number | undefined {
  if (at == null) return undefined
  const ms = typeof at === 'number' ? at : Date.parse(at)
  return Number.isNaN(ms) ? undefined : ms
}

/** `3 min ago`; `–` where nothing is known. */
export function Ago({ at }: { at: string | number | null | undefined }) {
  const ms = instant(at)
  const now = useNow()
  if (ms === undefined) return <span className="quiet">{DASH}</span>
  return (
    <Tooltip label={exact(ms)}>
      <time dateTime={new Date(ms).toISOString()} className="figures">
        {ago(ms, now)}
      </time>
    </Tooltip>
  )
}
