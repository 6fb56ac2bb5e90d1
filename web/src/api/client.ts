/** Speaking with the server: [api], which is typed by its OpenAPI document, and [unwrap], which turns a refusal into a [Refusal]. */
import createClient, { type Middleware } from 'openapi-fetch'
import { hearDate } from './clock'
import type { paths } from './schema'
import type { Problem } from './types'

/** Where the server is reached: the page's `<base>`, without the slash at its end. */
export const root = document.baseURI.replace(/[?#].*$/, '').replace(/\/[^/]*$/, '')

/** The path under which the console lies: empty, or `/muster`. */
export const prefix = new URL(`${root}/`).pathname.replace(/\/$/, '')

/** After this long without an answer a request is given up. Looking at a guest takes its host ten seconds at most. */
const PATIENCE_MS = 30_000

/** The server said no, or nothing: what went wrong, in its words. */
export class Refusal extends Error {
  readonly problem: Problem
  /** After how many seconds it may be asked again, where the server says so. */
  readonly retryAfter: number | undefined

  constructor(problem: Problem, retryAfter?: number) {
    super(problem.detail ?? problem.title)
    this.name = 'Refusal'
    this.problem = problem
    this.retryAfter = retryAfter
  }

  /** The word after `urn:muster:`, which programs act on. */
  get code(): string {
    return this.problem.type.replace(/^urn:muster:/, '')
  }

  get status(): number {
    return this.problem.status
  }
}

/** Muster itself did not answer. The `type` is the console's own: no server says it. */
function noAnswer(why: string): Refusal {
  return new Refusal({
    type: 'urn:muster:console:no_answer',
    title: 'Muster does not answer',
    status: 0,
    detail: why,
    remedy: 'See whether the server runs and this machine reaches it. The console tries again by itself.',
  })
}

/** What an answer that is not the API's own means; a proxy's error page, for one. */
async function problemOf(response: Response): Promise<Problem> {
  if (response.headers.get('content-type')?.startsWith('application/problem+json')) {
    return (await response.json()) as Problem
  }
  return {
    type: 'urn:muster:console:odd_answer',
    title: 'An answer that is not Muster’s',
    status: response.status,
    detail: `What answered is not Muster: ${response.status} ${response.statusText}`.trim(),
    remedy: 'See whether a proxy stands between this browser and Muster, and what it says.',
  }
}

let csrf = ''
let ended: () => void = () => undefined

/** Takes over what the session says every change has to carry. */
export function carry(token: string | undefined): void {
  csrf = token ?? ''
}

/** Says what to do when the session turns out to have ended. */
export function whenEnded(act: () => void): void {
  ended = act
}

const ENDED = new Set(['not_signed_in', 'session_ended'])

const rules: Middleware = {
  onRequest({ request }) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      request.headers.set('x-muster-csrf', csrf)
    }
    return request
  },
  async onResponse({ response, schemaPath }) {
    const own = response.ok || response.headers.get('content-type')?.startsWith('application/problem+json')
    if (own) hearDate(response.headers.get('date'))
    if (response.ok) return
    const problem = await problemOf(response)
    const after = Number(response.headers.get('retry-after') ?? 'none')
    const refusal = new Refusal(problem, Number.isFinite(after) ? after : undefined)
    if (ENDED.has(refusal.code) && schemaPath !== '/api/v1/session') ended()
    throw refusal
  },
  onError({ error }) {
    if (error instanceof Refusal) return error
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return noAnswer(`No answer within ${PATIENCE_MS / 1000} s`)
    }
    if (error instanceof DOMException && error.name === 'AbortError') return error
    return noAnswer('The connection to Muster failed')
  },
}

/** The server. Every answer is data, or a [Refusal] thrown. */
export const api = createClient<paths>({
  baseUrl: root,
  fetch: (request) => {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    return fetch(request, { signal: AbortSignal.any([request.signal, patience]), credentials: 'same-origin' })
  },
})
api.use(rules)

/** The data of an answer. */
export async function unwrap<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<NonNullable<T>> {
  const { data } = await answer
  return data as NonNullable<T>
}

/** Whether nobody knows if a wish arrived: no answer came, one of a proxy in between, or it is still being done. */
export function unanswered(error: unknown): boolean {
  if (!(error instanceof Refusal)) return true
  return error.status === 0 || (error.code === 'console:odd_answer' && error.status >= 500) || error.code === 'in_progress'
}

/** A failure of any kind as a problem that can be shown. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Refusal) return error.problem
  return {
    type: 'urn:muster:console:fault',
    title: 'A fault of the console',
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
    remedy: 'Reload the page. If it comes again, tell us with the details below.',
  }
}
