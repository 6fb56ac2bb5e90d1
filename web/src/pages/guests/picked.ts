/** Which guests are selected, as an address says it: `7.100-102.105_9.5`, a group for each remote, numbers and runs of them. Pure. */
import type { Guest } from '~/api/types'

type Place = Pick<Guest, 'remote_id' | 'vmid'>

/** Numbers of guests, by the id of their remote. */
export type Picked = ReadonlyMap<number, readonly number[]>

export function written(guests: Iterable<Place>): string {
  const groups = new Map<number, number[]>()
  for (const { remote_id: remote, vmid } of guests) groups.set(remote, [...(groups.get(remote) ?? []), vmid])
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([remote, vmids]) => [remote, ...runs(vmids)].join('.'))
    .join('_')
}

function runs(vmids: readonly number[]): string[] {
  const found: [first: number, last: number][] = []
  for (const vmid of [...vmids].sort((a, b) => a - b)) {
    const run = found.at(-1)
    if (run && vmid === run[1] + 1) run[1] = vmid
    else found.push([vmid, vmid])
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
}

/** At most `most` of them; what is no such text names none. */
export function read(text: string, most: number): Picked {
  const found = new Map<number, number[]>()
  let left = most
  for (const group of text.split('_')) {
    const parts = /^\d+(\.\d+(-\d+)?)+$/.test(group) ? group.split('.') : []
    const vmids = parts.slice(1).flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number)
      const many = Math.max(0, Math.min(left, last - first + 1))
      left -= many
      return Array.from({ length: many }, (_, at) => first + at)
    })
    if (vmids.length > 0) found.set(Number(parts[0]), vmids)
  }
  return found
}

/** How many they are. */
export function size(picked: Picked): number {
  return [...picked.values()].reduce((sum, vmids) => sum + vmids.length, 0)
}
