/** The addresses of a guest that others reach it by. */
import type { Guest } from '~/api/types'

/** Without their prefix lengths, loopback and link-local ones left out; `undefined`: never seen. */
export function addressesOf(row: Guest): string[] | undefined {
  return row.addresses?.value
    .flatMap((card) => card.addresses)
    .map((address) => address.replace(/\/\d+$/, ''))
    .filter((address) => !/^(127\.|::1$|169\.254\.|fe[89ab])/i.test(address))
}
