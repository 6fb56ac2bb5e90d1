import { describe, expect, it } from 'vitest'
import { flag, properties, size } from './property'

describe('property strings', () => {
  it('have a first part without a name, and named ones', () => {
    const parts = properties('local-lvm:vm-101-disk-0,iothread=1,size=8G')
    expect(parts.first).toBe('local-lvm:vm-101-disk-0')
    expect(parts.get('size')).toBe('8G')
    expect(parts.rest()).toEqual(['iothread=1'])
  })

  it('may begin with a named part', () => {
    const parts = properties('name=eth0,bridge=vmbr0')
    expect(parts.first).toBeUndefined()
    expect(parts.get('name')).toBe('eth0')
  })

  it('keep an equals sign in a value', () => {
    expect(properties('none,cicustom=user=a').get('cicustom')).toBe('user=a')
  })
})

it('reads sizes, and nothing else as one', () => {
  expect(size('32G')).toBe(32 * 1024 ** 3)
  expect(size('528K')).toBe(528 * 1024)
  expect(size('1.5T')).toBe(1.5 * 1024 ** 4)
  expect(size('much')).toBeUndefined()
  expect(size(undefined)).toBeUndefined()
})

it('tells yes, no, and what is neither', () => {
  expect(flag('1')).toBe(true)
  expect(flag('off')).toBe(false)
  expect(flag('')).toBeUndefined()
  expect(flag('perhaps')).toBeUndefined()
})
