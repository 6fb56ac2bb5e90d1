/** How much of something is used: a bar that is green, yellow from 70 % and red from 90 %, with the figure in words. */
import { Progress, Tooltip } from '@mantine/core'
import { bytes, DASH, percent } from '~/format/format'

export function shareOf(used: number | null | undefined, total: number | null | undefined): number | undefined {
  if (used == null || total == null || total <= 0) return undefined
  return used / total
}

export function usageColor(share: number): string {
  return share >= 0.9 ? 'red' : share >= 0.7 ? 'yellow' : 'green'
}

/** A share of one as bar and figure. */
export function Share({ share, label }: { share: number | null | undefined; label?: string }) {
  if (share == null) return <span className="quiet">{DASH}</span>
  return (
    <Tooltip label={label ?? percent(share)}>
      <span style={{ display: 'grid', gridTemplateColumns: 'minmax(24px, 1fr) 4.2em', alignItems: 'center', gap: 6 }} className="figures">
        <Progress value={Math.min(100, share * 100)} color={usageColor(share)} size="sm" aria-label={label ?? 'used'} />
        <span style={{ textAlign: 'end' }}>{percent(share)}</span>
      </span>
    </Tooltip>
  )
}

/** Bytes used of bytes. */
export function BytesUsed({ used, total }: { used: number | null | undefined; total: number | null | undefined }) {
  const share = shareOf(used, total)
  if (share === undefined) {
    return <span className="quiet figures">{used == null ? (total == null ? DASH : `? of ${bytes(total)}`) : bytes(used)}</span>
  }
  return <Share share={share} label={`${bytes(used)} of ${bytes(total)}`} />
}
