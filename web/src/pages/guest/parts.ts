/** What is known of a guest beside its row, part by part, and how what is newer is put over what is older. Pure. */
import type { Drift, GuestDetail, Schemas } from '~/api/types'
import type { Part } from '~/ui/part'

/** With Proxmox VE’s own field names: `key`, `value`, `pending`, `delete`. */
export type PendingRow = Readonly<Record<string, unknown>>

export interface Parts extends Pick<GuestDetail, 'status' | 'config' | 'pending' | 'interfaces'> {
  drift: Drift[]
}

export type Interface = NonNullable<Schemas['Part_Vec_Interface']['seen']>['value'][number]

export function partsOf(detail: GuestDetail): Parts {
  const { status, config, pending, interfaces, drift } = detail
  return { status, config, pending, interfaces, drift: drift ?? [] }
}

/** A newer look, with what an older one saw where this one saw nothing. Another life's parts are another guest's. */
export function kept(had: GuestDetail | undefined, now: GuestDetail): GuestDetail {
  if (had?.incarnation !== now.incarnation || had.id !== now.id) return now
  const [before, after] = [partsOf(had), partsOf(now)]
  const one = <T>(older: Part<T>, newer: Part<T>): Part<T> =>
    newer.seen == null && older.seen != null ? { seen: older.seen, error: newer.error } : newer
  const parts: Parts = {
    status: one(before.status, after.status),
    config: one(before.config, after.config),
    pending: one(before.pending, after.pending),
    interfaces: one(before.interfaces, after.interfaces),
    // What did not fit the replies that are shown: while these are the old ones, so is this.
    drift: after.status.error != null && after.drift.length === 0 ? before.drift : after.drift,
  }
  return { ...now, ...parts }
}

/** Of the values that wait for a restart: those that do. */
export function waiting(rows: readonly PendingRow[]): PendingRow[] {
  return rows.filter((row) => row.pending != null || (row.delete != null && row.delete !== 0 && row.delete !== '0' && row.delete !== false))
}

/** Addresses by interface, without those that reach nobody else. */
export function reachable(interfaces: readonly Interface[]): Interface[] {
  return interfaces
    .filter((one) => one.name !== 'lo')
    .map((one) => ({ ...one, addresses: one.addresses.filter((address) => !/^fe80:/i.test(address)) }))
}
