/** What a guest uses now, or used when it was last seen. */
import type { GuestDetail } from '~/api/types'
import { bytes, DASH, percent, span } from '~/format/format'
import { Meter, Meters } from '~/ui/Meter'
import { BytesUsed, Share } from '~/ui/Usage'
import type { Parts } from './parts'

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function GuestMeters({ guest, status }: { guest: GuestDetail; status: Parts['status'] }) {
  const { cpu, cpus } = guest
  const of = cpus == null ? undefined : `${cpus} ${cpus === 1 ? 'processor' : 'processors'}`
  const swap = number(status.seen?.value.swap)
  const swapMax = number(status.seen?.value.maxswap)
  return (
    <Meters>
      <Meter name={of ? `CPU, of ${of}` : 'CPU'}>
        <Share share={cpu} label={cpu == null ? undefined : `${percent(cpu)}${of ? ` of ${of}` : ''}`} />
      </Meter>
      <Meter name={`Memory, of ${bytes(guest.memory_max)}`}>
        <BytesUsed used={guest.memory} total={guest.memory_max} />
      </Meter>
      {guest.kind === 'ct' ? (
        <Meter name={`Root disk, of ${bytes(guest.disk_max)}`}>
          <BytesUsed used={guest.disk} total={guest.disk_max} />
        </Meter>
      ) : (
        <Meter name="Boot disk">
          <span className="figures" title="What is used of it, only the guest itself knows">
            {bytes(guest.disk_max)}
          </span>
        </Meter>
      )}
      {guest.kind === 'ct' && swapMax !== undefined && swapMax > 0 && (
        <Meter name={`Swap, of ${bytes(swapMax)}`}>
          <BytesUsed used={swap} total={swapMax} />
        </Meter>
      )}
      <Meter name="Running for">
        <span className="figures">{guest.uptime ? span(guest.uptime) : DASH}</span>
      </Meter>
    </Meters>
  )
}
