/** A guest's configuration as cards that people can read. Every key stands in one of them: nothing is dropped. Pure. */
import { bytes, span } from '~/format/format'
import { flag, properties, size } from './property'

export type Kind = 'ct' | 'vm'

export interface Fact {
  /** The key or keys it was made of. */
  key: string
  name: string
  value: string
  /** What else is said of it, quieter. */
  more?: string | undefined
}

export interface Card {
  id: 'cpu' | 'memory' | 'disks' | 'network' | 'boot' | 'devices' | 'cloud' | 'options' | 'other'
  title: string
  facts: Fact[]
}

/** A configuration as Proxmox VE tells it: values are texts; whatever else comes is written as JSON. */
export type Config = Readonly<Record<string, unknown>>

const TITLES: readonly [Card['id'], string][] = [
  ['cpu', 'CPU'],
  ['memory', 'Memory'],
  ['disks', 'Disks'],
  ['network', 'Network'],
  ['boot', 'Boot'],
  ['devices', 'Devices'],
  ['cloud', 'Cloud-Init'],
  ['options', 'Options'],
  ['other', 'Further values'],
]

/** What stands elsewhere on the page, or says nothing to people. */
const ELSEWHERE = new Set(['name', 'hostname', 'tags', 'description', 'digest', 'template', 'lock', 'parent'])

export function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value)
}

const DISK = /^(?:scsi|virtio|ide|sata|mp|rootfs|efidisk|tpmstate|unused)\d*$/
const NET = /^net\d+$/
const DEVICE = /^(?:usb|hostpci|serial|parallel|dev|audio|virtiofs)\d+$|^(?:rng0|vga|watchdog|ivshmem)$/
const CLOUD = /^(?:ci\w+|ipconfig\d+|sshkeys|cicustom)$/

/** By number, not by letter: `scsi2` before `scsi10`. */
function natural(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** The cards of a configuration. Those without anything in them are not there. */
export function cards(kind: Kind, config: Config): Card[] {
  const made = new Map<Card['id'], Fact[]>(TITLES.map(([id]) => [id, []]))
  const used = new Set<string>(ELSEWHERE)
  const has = (key: string) => config[key] !== undefined && config[key] !== null
  const take = (key: string) => {
    used.add(key)
    return has(key) ? text(config[key]) : undefined
  }
  const put = (id: Card['id'], key: string, name: string, value: string | undefined, more?: string) => {
    if (value !== undefined) made.get(id)?.push({ key, name, value, more: more === '' ? undefined : more })
  }
  const keys = Object.keys(config).filter(has).sort(natural)
  const each = (pattern: RegExp, act: (key: string, value: string) => void) => {
    for (const key of keys) if (pattern.test(key)) act(key, take(key) ?? '')
  }

  cpu(kind, take, put)
  memory(kind, take, put)
  const first = (key: string) => (key === 'rootfs' ? 0 : key.startsWith('unused') ? 2 : 1)
  for (const key of keys.filter((key) => DISK.test(key)).sort((a, b) => first(a) - first(b) || natural(a, b))) {
    made.get('disks')?.push(disk(key, take(key) ?? ''))
  }
  put('disks', 'scsihw', 'SCSI controller', take('scsihw'))
  each(NET, (key, value) => made.get('network')?.push(network(kind, key, value)))
  put('network', 'nameserver', 'Name servers', take('nameserver'))
  put('network', 'searchdomain', 'Search domain', take('searchdomain'))
  boot(take, put)
  each(DEVICE, (key, value) => put('devices', key, key, value))
  each(CLOUD, (key, value) =>
    put('cloud', key, CLOUD_NAMES[key] ?? key, key === 'cipassword' ? 'set' : key === 'sshkeys' ? keysIn(value) : value),
  )
  options(kind, take, put)
  for (const key of keys) if (!used.has(key)) put('other', key, key, take(key))
  return TITLES.map(([id, title]) => ({ id, title, facts: made.get(id) ?? [] })).filter((card) => card.facts.length > 0)
}

type Take = (key: string) => string | undefined
type Put = (id: Card['id'], key: string, name: string, value: string | undefined, more?: string) => void

function yes(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const on = flag(value)
  return on === undefined ? value : on ? 'yes' : 'no'
}

function cpu(kind: Kind, take: Take, put: Put) {
  const cores = take('cores')
  const sockets = take('sockets')
  if (kind === 'vm') {
    const all = Number(cores ?? '1') * Number(sockets ?? '1')
    const shape = `${cores ?? '1'} ${cores === undefined || cores === '1' ? 'core' : 'cores'}, ${sockets ?? '1'} ${sockets === undefined || sockets === '1' ? 'socket' : 'sockets'}`
    put('cpu', 'cores', 'Processors', Number.isNaN(all) ? shape : String(all), shape)
  } else {
    put('cpu', 'cores', 'Processors', cores ?? 'all of the node’s')
  }
  put('cpu', 'vcpus', 'Of these plugged in', take('vcpus'))
  const type = take('cpu')
  if (type !== undefined) {
    const parts = properties(type)
    const model = parts.first ?? parts.get('cputype') ?? type
    put('cpu', 'cpu', 'Type', model, parts.rest().join(', '))
  }
  const limit = take('cpulimit')
  put('cpu', 'cpulimit', 'Limit', limit === undefined || Number(limit) === 0 ? undefined : `${limit} processors’ time`)
  put('cpu', 'cpuunits', 'Weight', take('cpuunits'))
  put('cpu', 'affinity', 'Bound to', take('affinity'))
  const numa = take('numa')
  put('cpu', 'numa', 'NUMA', flag(numa) === false ? undefined : yes(numa))
}

/** MiB as Proxmox VE writes them. */
function mebi(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? bytes(number * 1024 ** 2) : value
}

function memory(kind: Kind, take: Take, put: Put) {
  const said = take('memory')
  const parts = said === undefined ? undefined : properties(said)
  put('memory', 'memory', 'Memory', mebi(parts?.first ?? parts?.get('current') ?? said), parts?.rest().join(', '))
  if (kind === 'ct') {
    const swap = take('swap')
    put('memory', 'swap', 'Swap', swap === '0' ? 'none' : mebi(swap))
    return
  }
  const balloon = take('balloon')
  put('memory', 'balloon', 'Ballooning', balloon === '0' ? 'off' : balloon === undefined ? undefined : `down to ${mebi(balloon)}`)
  put('memory', 'shares', 'Shares', take('shares'))
  put('memory', 'hugepages', 'Huge pages', take('hugepages'))
}

/** A disk, a CD drive or a mount point. */
function disk(key: string, value: string): Fact {
  const parts = properties(value)
  const volume = parts.first ?? parts.get('file') ?? parts.get('volume') ?? ''
  const bound = parts.get('mp')
  const bytesOf = size(parts.get('size'))
  const name = key === 'rootfs' ? 'Root disk' : key.startsWith('unused') ? `${key} (not attached)` : bound ? `${key} at ${bound}` : key
  if (parts.get('media') === 'cdrom') {
    return { key, name: `${key} (CD drive)`, value: volume === 'none' ? 'empty' : volume === 'cdrom' ? 'the node’s own drive' : volume, more: parts.rest().join(', ') || undefined }
  }
  const colon = volume.indexOf(':')
  const place = colon > 0 && !volume.startsWith('/') ? volume.slice(0, colon) : undefined
  const rest = [place === undefined ? undefined : volume.slice(colon + 1), ...parts.rest()].filter(Boolean)
  const shown = place === undefined ? volume : bytesOf === undefined ? `on ${place}` : `${bytes(bytesOf)} on ${place}`
  return { key, name, value: shown || value, more: rest.join(', ') || undefined }
}

/** A network card. */
function network(kind: Kind, key: string, value: string): Fact {
  const parts = properties(value)
  const bridge = parts.get('bridge')
  const tag = parts.get('tag')
  const firewall = flag(parts.get('firewall'))
  const down = flag(parts.get('link_down'))
  const rate = parts.get('rate')
  const said: (string | undefined)[] = [bridge === undefined ? 'no bridge' : `bridge ${bridge}`, tag && `VLAN ${tag}`, down ? 'unplugged' : undefined]
  const more: (string | undefined)[] = []
  let name = key
  if (kind === 'ct') {
    name = `${parts.get('name') ?? key} (${key})`
    const ip = parts.get('ip')
    const ip6 = parts.get('ip6')
    more.push(ip && `IPv4 ${ways(ip)}`, gateway(parts.get('gw')), ip6 && `IPv6 ${ways(ip6)}`, gateway(parts.get('gw6')), parts.get('hwaddr'))
    parts.get('type')
  } else {
    // The model and the hardware address are one part: `virtio=BC:24:…`.
    const model = parts.rest().find((part) => /^[\w-]+=(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(part))
    const at = model?.indexOf('=') ?? -1
    if (model !== undefined) {
      parts.get(model.slice(0, at))
      more.push(model.slice(0, at), model.slice(at + 1))
    } else {
      more.push(parts.first, parts.get('model'), parts.get('macaddr'))
    }
  }
  more.push(firewall === undefined ? undefined : firewall ? 'firewall on' : 'firewall off', rate && `at most ${rate} MB/s`, ...parts.rest())
  return { key, name, value: said.filter(Boolean).join(', '), more: more.filter(Boolean).join(', ') || undefined }
}

function ways(address: string): string {
  return { dhcp: 'by DHCP', auto: 'by SLAAC', manual: 'set inside' }[address] ?? address
}

function gateway(address: string | undefined): string | undefined {
  return address && `gateway ${address}`
}

function boot(take: Take, put: Put) {
  const onboot = take('onboot')
  put('boot', 'onboot', 'Starts with the node', yes(onboot) ?? 'no')
  const startup = take('startup')
  if (startup !== undefined) {
    const parts = properties(startup)
    const order = parts.get('order') ?? parts.first
    const said = [
      order && `as number ${order}`,
      wait(parts.get('up'), 'then wait'),
      wait(parts.get('down'), 'give it to shut down'),
      ...parts.rest(),
    ]
    put('boot', 'startup', 'Order', said.filter(Boolean).join(', ') || startup)
  }
  const order = take('boot')
  put('boot', 'boot', 'Boots from', order?.startsWith('order=') ? order.slice(6).split(';').join(', then ') : order)
  put('boot', 'bootdisk', 'Boot disk', take('bootdisk'))
  put('boot', 'bios', 'Firmware', { ovmf: 'UEFI (OVMF)', seabios: 'BIOS (SeaBIOS)' }[take('bios') ?? ''] ?? take('bios'))
  put('boot', 'machine', 'Machine', take('machine'))
}

function wait(seconds: string | undefined, what: string): string | undefined {
  return seconds === undefined ? undefined : `${what} ${span(Number(seconds))}`
}

const CLOUD_NAMES: Record<string, string> = {
  ciuser: 'User',
  cipassword: 'Password',
  sshkeys: 'SSH keys',
  citype: 'Format',
  ciupgrade: 'Upgrade at first start',
}

function keysIn(value: string): string {
  const lines = safely(value).split('\n').filter((line) => line.trim() !== '')
  return `${lines.length} ${lines.length === 1 ? 'key' : 'keys'}`
}

function safely(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

const SYSTEMS: Record<string, string> = {
  l24: 'Linux 2.4',
  l26: 'Linux',
  win11: 'Windows 11, 2022 or 2025',
  win10: 'Windows 10, 2016 or 2019',
  win8: 'Windows 8 or 2012',
  win7: 'Windows 7 or 2008 R2',
  w2k8: 'Windows Vista or 2008',
  wxp: 'Windows XP',
  solaris: 'Solaris',
  other: 'Other',
}

function options(kind: Kind, take: Take, put: Put) {
  const system = take('ostype')
  put('options', 'ostype', 'System', system === undefined ? undefined : (SYSTEMS[system] ?? system))
  put('options', 'arch', 'Architecture', take('arch'))
  const agent = take('agent')
  if (agent !== undefined) {
    const parts = properties(agent)
    const on = flag(parts.first ?? parts.get('enabled'))
    put('options', 'agent', 'Guest agent', on === undefined ? agent : on ? 'on' : 'off', parts.rest().join(', '))
  } else if (kind === 'vm') {
    put('options', 'agent', 'Guest agent', 'off')
  }
  put('options', 'unprivileged', 'Unprivileged', yes(take('unprivileged')) ?? (kind === 'ct' ? 'no' : undefined))
  const features = take('features')
  put('options', 'features', 'Features', features?.split(',').map((part) => part.replace(/=1$/, '')).join(', '))
  put('options', 'protection', 'Protected from removal', yes(take('protection')) ?? 'no')
  put('options', 'hotplug', 'Hot-plugged', take('hotplug'))
  put('options', 'timezone', 'Time zone', take('timezone'))
  put('options', 'hookscript', 'Hook script', take('hookscript'))
  put('options', 'localtime', 'Clock in local time', yes(take('localtime')))
  put('options', 'tablet', 'Tablet pointer', yes(take('tablet')))
  put('options', 'acpi', 'ACPI', yes(take('acpi')))
  put('options', 'kvm', 'KVM', yes(take('kvm')))
  put('options', 'args', 'Arguments of QEMU', take('args'))
  const meta = take('meta')
  if (meta !== undefined) {
    const made = Number(properties(meta).get('ctime'))
    const version = properties(meta).get('creation-qemu')
    const when = Number.isFinite(made) && made > 0 ? new Date(made * 1000).toISOString().slice(0, 10) : meta
    put('options', 'meta', 'Made', when, version && `with QEMU ${version}`)
  }
  const smbios = take('smbios1')
  if (smbios !== undefined) {
    const parts = properties(smbios)
    put('options', 'smbios1', 'SMBIOS', parts.get('uuid') ?? smbios, parts.rest().join(', '))
  }
  put('options', 'vmgenid', 'Generation id', take('vmgenid'))
}

/** Notes are written in the configuration; a container's come with a line break at their end. */
export function notes(config: Config): string | undefined {
  const said = config.description
  return typeof said === 'string' && said.trim() !== '' ? said.trim() : undefined
}
