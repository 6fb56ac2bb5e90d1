import { expect, it } from 'vitest'
import { nodeStatus } from './status'

it('reads what a node says of itself', () => {
  const status = nodeStatus({
    'current-kernel': { release: '6.17.4-2-pve' },
    kversion: 'Linux 6.17',
    cpuinfo: { cpus: 8, cores: 4, sockets: 1, model: 'EPYC' },
    'boot-info': { mode: 'efi', secureboot: false },
    loadavg: [0.5, 0.25, 1],
    swap: { used: 0, total: 8 },
    wait: 0.01,
  })
  expect(status).toMatchObject({
    kernel: '6.17.4-2-pve',
    processors: '8 threads, 4 cores, 1 socket',
    boot: 'UEFI, no secure boot',
    load: ['0.50', '0.25', '1.00'],
    swap: { used: 0, total: 8 },
    wait: 0.01,
  })
})

it('does not know what an older version does not say, and never calls it nought', () => {
  const status = nodeStatus({ kversion: 'Linux 5.15', cpuinfo: 'odd', memory: [] })
  expect(status).toMatchObject({ kernel: 'Linux 5.15', processors: undefined, boot: undefined, load: undefined, wait: undefined })
  expect(status.memory).toEqual({ used: undefined, total: undefined })
  expect(nodeStatus(undefined).swap).toEqual({ used: undefined, total: undefined })
})
