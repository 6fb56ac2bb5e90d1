import { describe, expect, it } from 'vitest'
import { type Card, cards, type Config, notes } from './config'

function fact(made: Card[], id: Card['id'], key: string) {
  return made.find((card) => card.id === id)?.facts.find((one) => one.key === key)
}

const VM: Config = {
  agent: '1,fstrim_cloned_disks=1',
  boot: 'order=scsi0;ide2;net0',
  bios: 'ovmf',
  cores: '4',
  sockets: '2',
  cpu: 'x86-64-v2-AES,flags=+aes',
  memory: '4096',
  balloon: '2048',
  scsi0: 'local-lvm:vm-100-disk-0,iothread=1,size=32G',
  scsi10: 'local-lvm:vm-100-disk-3,size=1T',
  scsi2: 'local-lvm:vm-100-disk-2,size=512M',
  ide2: 'none,media=cdrom',
  unused0: 'local-lvm:vm-100-disk-9',
  net0: 'virtio=BC:24:11:E4:06:92,bridge=vmbr0,firewall=1,tag=20',
  startup: 'order=2,up=90',
  ostype: 'l26',
  ipconfig0: 'ip=dhcp',
  cipassword: '**********',
  sshkeys: 'ssh-ed25519%20AAAA%20a%0Assh-ed25519%20BBBB%20b%0A',
  name: 'shop',
  digest: 'abc',
  something_new: '1',
}

const CT: Config = {
  rootfs: 'local-lvm:vm-101-disk-0,size=32G',
  mp0: 'vault:subvol-101-disk-1,mp=/srv/data,backup=1,size=200G',
  mp1: '/tank/media,mp=/media,ro=1',
  net0: 'name=eth0,bridge=vmbr0,firewall=1,hwaddr=BC:24:11:64:83:56,ip=192.0.2.5/24,gw=192.0.2.1,type=veth',
  memory: '512',
  swap: '0',
  unprivileged: '1',
  features: 'nesting=1,keyctl=1',
  onboot: '1',
}

describe('a virtual machine', () => {
  const made = cards('vm', VM)

  it('has its processors counted', () => {
    expect(fact(made, 'cpu', 'cores')).toMatchObject({ value: '8', more: '4 cores, 2 sockets' })
    expect(fact(made, 'cpu', 'cpu')).toMatchObject({ value: 'x86-64-v2-AES', more: 'flags=+aes' })
  })

  it('has its memory in units', () => {
    expect(fact(made, 'memory', 'memory')?.value).toBe('4 GiB')
    expect(fact(made, 'memory', 'balloon')?.value).toBe('down to 2 GiB')
  })

  it('has its disks in order, unattached ones last', () => {
    const disks = made.find((card) => card.id === 'disks')?.facts.map((one) => one.key)
    expect(disks).toEqual(['ide2', 'scsi0', 'scsi2', 'scsi10', 'unused0'])
    expect(fact(made, 'disks', 'scsi0')).toMatchObject({ value: '32 GiB on local-lvm', more: 'vm-100-disk-0, iothread=1' })
    expect(fact(made, 'disks', 'ide2')).toMatchObject({ name: 'ide2 (CD drive)', value: 'empty' })
    expect(fact(made, 'disks', 'unused0')).toMatchObject({ name: 'unused0 (not attached)', value: 'on local-lvm' })
  })

  it('has its network cards', () => {
    expect(fact(made, 'network', 'net0')).toMatchObject({ value: 'bridge vmbr0, VLAN 20', more: 'virtio, BC:24:11:E4:06:92, firewall on' })
  })

  it('has its boot order in words', () => {
    expect(fact(made, 'boot', 'boot')?.value).toBe('scsi0, then ide2, then net0')
    expect(fact(made, 'boot', 'startup')?.value).toBe('as number 2, then wait 1 min 30 s')
    expect(fact(made, 'boot', 'bios')?.value).toBe('UEFI (OVMF)')
    expect(fact(made, 'boot', 'onboot')?.value).toBe('no')
  })

  it('never shows a password, and counts keys', () => {
    expect(fact(made, 'cloud', 'cipassword')?.value).toBe('set')
    expect(fact(made, 'cloud', 'sshkeys')?.value).toBe('2 keys')
  })

  it('shows what it does not know as it is', () => {
    expect(fact(made, 'other', 'something_new')).toMatchObject({ name: 'something_new', value: '1' })
  })
})

describe('a container', () => {
  const made = cards('ct', CT)

  it('has its root disk first, mount points with their place', () => {
    const disks = made.find((card) => card.id === 'disks')?.facts
    expect(disks?.map((one) => one.name)).toEqual(['Root disk', 'mp0 at /srv/data', 'mp1 at /media'])
    expect(disks?.[1]).toMatchObject({ value: '200 GiB on vault', more: 'subvol-101-disk-1, backup=1' })
    expect(disks?.[2]).toMatchObject({ value: '/tank/media', more: 'ro=1' })
  })

  it('has its addresses in words', () => {
    expect(fact(made, 'network', 'net0')).toMatchObject({
      name: 'eth0 (net0)',
      value: 'bridge vmbr0',
      more: 'IPv4 192.0.2.5/24, gateway 192.0.2.1, BC:24:11:64:83:56, firewall on',
    })
  })

  it('takes all processors when none are said', () => {
    expect(fact(made, 'cpu', 'cores')?.value).toBe('all of the node’s')
  })

  it('says none where there is no swap', () => expect(fact(made, 'memory', 'swap')?.value).toBe('none'))
})

it('drops nothing: every key of a configuration stands in a card or elsewhere on the page', () => {
  const odd: Config = { ...VM, ...CT, lxc: [['lxc.apparmor.profile', 'unconfined']], net9: 'nonsense', scsi7: '', memory: 'much', hostpci0: '01:00,pcie=1' }
  const elsewhere = new Set(['name', 'digest', 'sockets'])
  for (const kind of ['ct', 'vm'] as const) {
    const shown = new Set(cards(kind, odd).flatMap((card) => card.facts.map((one) => one.key)))
    for (const key of Object.keys(odd)) {
      if (elsewhere.has(key)) continue
      // What only the other kind has is shown as it is.
      expect(shown.has(key), `${kind} ${key}`).toBe(true)
    }
  }
})

it('tells notes, without the empty ones', () => {
  expect(notes({ description: 'Mind the <b>cache</b>.\n' })).toBe('Mind the <b>cache</b>.')
  expect(notes({ description: ' \n' })).toBeUndefined()
  expect(notes({})).toBeUndefined()
})
