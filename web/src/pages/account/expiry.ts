/** When a token shall end. */

export const EXPIRIES = [
  { value: '30', label: 'in 30 days' },
  { value: '90', label: 'in 90 days' },
  { value: '365', label: 'in a year' },
  { value: 'date', label: 'on a day…' },
  { value: 'never', label: 'never' },
] as const

export type Expiry = (typeof EXPIRIES)[number]['value']

const DAY_MS = 86_400_000

/** The instant; `null`: never. `undefined`: what was chosen is no day to come. A day ends where the person is. */
export function expiryAt(choice: Expiry, day: string, now: number): string | null | undefined {
  if (choice === 'never') return null
  if (choice !== 'date') return new Date(now + Number(choice) * DAY_MS).toISOString()
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day)
  if (!parts) return undefined
  const at = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]), 23, 59, 59).getTime()
  return Number.isNaN(at) || at <= now ? undefined : new Date(at).toISOString()
}
