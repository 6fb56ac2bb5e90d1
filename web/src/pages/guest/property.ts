/** Proxmox VE's own way to write several facts into one value: `local-lvm:vm-101-disk-0,size=8G`. Pure. */

export interface Properties {
  /** The first part when it has no name: the volume, the model, the switch. */
  first: string | undefined
  get(key: string): string | undefined
  /** Those that were not asked for with `get`, as they are written. */
  rest(): string[]
}

export function properties(text: string): Properties {
  const parts = text.split(',').filter((part) => part !== '')
  const head = parts[0]
  // A volume has a colon before any equals sign; a named part has none.
  const unnamed = head !== undefined && !/^[\w-]+=/.test(head)
  const named = new Map<string, string>()
  for (const part of unnamed ? parts.slice(1) : parts) {
    const at = part.indexOf('=')
    named.set(at < 0 ? part : part.slice(0, at), at < 0 ? '' : part.slice(at + 1))
  }
  const asked = new Set<string>()
  return {
    first: unnamed ? head : undefined,
    get(key) {
      asked.add(key)
      return named.get(key)
    },
    rest: () => [...named].filter(([key]) => !asked.has(key)).map(([key, value]) => (value === '' ? key : `${key}=${value}`)),
  }
}

const SIZES: Record<string, number> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** A size as Proxmox VE writes it, in bytes: `32G`. */
export function size(text: string | undefined): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text ?? '')
  const unit = SIZES[found?.[2] ?? '']
  return found?.[1] === undefined || unit === undefined ? undefined : Number(found[1]) * unit
}

/** Yes or no, as Proxmox VE writes it; `undefined` for anything else. */
export function flag(text: string | undefined): boolean | undefined {
  switch (text?.toLowerCase()) {
    case '1':
    case 'on':
    case 'yes':
    case 'true':
      return true
    case '0':
    case 'off':
    case 'no':
    case 'false':
      return false
    default:
      return undefined
  }
}
