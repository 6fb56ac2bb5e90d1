import { encode } from 'uqr'
import { describe, expect, it } from 'vitest'
import { qrPath } from './Qr'

/** Which modules a path makes dark. */
function drawn(path: string, size: number): boolean[][] {
  const made = Array.from({ length: size }, () => Array.from({ length: size }, () => false))
  for (const [, x, y, wide] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    made[Number(y)]?.fill(true, Number(x), Number(x) + Number(wide))
  }
  return made
}

describe('the picture', () => {
  it('has every dark module and no other', () => {
    const { data, size } = encode('otpauth://totp/Muster:anna?secret=JBSWY3DPEHPK3PXP&issuer=Muster', { border: 4 })
    expect(drawn(qrPath(data), size)).toEqual(data)
  })
})
