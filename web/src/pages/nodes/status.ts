/** What a node says of itself, read from its own names. What is not there, or is something else, is unknown. Pure. */

type Said = Readonly<Record<string, unknown>>

export interface NodeStatus {
  kernel: string | undefined
  version: string | undefined
  processor: string | undefined
  /** `8 threads, 4 cores, 1 socket`. */
  processors: string | undefined
  boot: string | undefined
  load: readonly string[] | undefined
  wait: number | undefined
  memory: Used
  swap: Used
  root: Used
  shared: number | undefined
}

export interface Used {
  used: number | undefined
  total: number | undefined
}

function object(value: unknown): Said {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Said) : {}
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function used(value: unknown): Used {
  const said = object(value)
  return { used: number(said.used), total: number(said.total) }
}

function counted(value: unknown, one: string): string | undefined {
  const many = number(value)
  return many === undefined ? undefined : `${many} ${one}${many === 1 ? '' : 's'}`
}

/** Reads a node's status. */
export function nodeStatus(said: Said | undefined): NodeStatus {
  const all = said ?? {}
  const cpu = object(all.cpuinfo)
  const kernel = object(all['current-kernel'])
  const boot = object(all['boot-info'])
  const parts = [counted(cpu.cpus, 'thread'), counted(cpu.cores, 'core'), counted(cpu.sockets, 'socket')].filter(Boolean)
  const mode = text(boot.mode)
  const secure = boot.secureboot === true ? ', secure boot' : boot.secureboot === false ? ', no secure boot' : ''
  return {
    kernel: text(kernel.release) ?? text(all.kversion),
    version: text(all.pveversion),
    processor: text(cpu.model),
    processors: parts.length > 0 ? parts.join(', ') : undefined,
    boot: mode && `${mode === 'efi' ? 'UEFI' : mode}${secure}`,
    load: Array.isArray(all.loadavg) && all.loadavg.length > 0 ? all.loadavg.map((one) => (typeof one === 'number' ? one.toFixed(2) : String(one))) : undefined,
    wait: number(all.wait),
    memory: used(all.memory),
    swap: used(all.swap),
    root: used(all.rootfs),
    shared: number(object(all.ksm).shared),
  }
}
