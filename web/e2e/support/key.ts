import { randomBytes } from 'node:crypto'

/** An Idempotency-Key. */
export function newKey(): string {
  return randomBytes(16).toString('hex')
}
