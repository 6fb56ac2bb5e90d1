/** What a refused sign-in asks of the person, and how long it lasts. */
import { Refusal } from '~/api/client'
import { toServer, useNow } from '~/ui/now'

/** Where a sign-in stands after what the server said of it. */
export type Verdict =
  /** Name or password is wrong. */
  | { kind: 'password' }
  /**
   * The password is right; a code is wanted. `wrong`: the one that was given is not right. `unreadable`: it could not be
   * compared, since what is kept of its kind is damaged; one of the other kind can.
   */
  | { kind: 'code'; wrong: boolean; unreadable?: true }
  /** Too many tries. */
  | { kind: 'wait'; seconds: number }
  /** Anything else. */
  | { kind: 'other' }

/** Where the server does not say how long, as long as one try of an address takes to come back. */
const USUAL_WAIT_S = 30

export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof Refusal)) return { kind: 'other' }
  switch (error.code) {
    case 'wrong_password':
      return { kind: 'password' }
    case 'second_factor':
      return { kind: 'code', wrong: false }
    case 'wrong_code':
      return { kind: 'code', wrong: true }
    case 'second_factor_unreadable':
      return { kind: 'code', wrong: false, unreadable: true }
    case 'too_many_tries':
      return { kind: 'wait', seconds: Math.max(1, Math.ceil(error.retryAfter ?? USUAL_WAIT_S)) }
    default:
      return { kind: 'other' }
  }
}

/** How many seconds are left to wait after a try that was refused for its pace; 0: none. */
export function useWait(tried: { error: unknown; submittedAt: number }): number {
  const now = useNow()
  const verdict = verdictOf(tried.error)
  return verdict.kind === 'wait' ? Math.max(0, Math.ceil(verdict.seconds - (now - toServer(tried.submittedAt)) / 1000)) : 0
}
