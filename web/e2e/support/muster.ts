/** The real server: `muster serve` in a data directory of its own, set up, and spoken with as administrator. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { newKey } from './key'
import { Process, program } from './process'

const run = promisify(execFile)

export const ADMIN = { user: 'admin', password: 'correct horse battery staple' }

export class Muster {
  #process: Process
  readonly folder: string
  readonly #args: string[]
  /** Where it listens; the same after a restart. */
  url: string
  #cookie = ''
  #csrf = ''

  private constructor(process: Process, folder: string, args: string[], url: string) {
    this.#process = process
    this.folder = folder
    this.#args = args
    this.url = url
  }

  /** Starts a new installation. `pace`: `test` lets time pass a hundred times as fast. */
  static async start(...more: string[]): Promise<Muster> {
    const folder = await mkdtemp(join(tmpdir(), 'muster-e2e-'))
    const args = ['serve', '--data-dir', join(folder, 'data'), ...(more.length > 0 ? more : ['--pace', 'test'])]
    const process = Process.start(program('muster'), [...args, '--listen', '127.0.0.1:0'])
    return new Muster(process, folder, args, await listening(process))
  }

  /** The link that makes the first administrator. */
  async setupLink(): Promise<string> {
    return (await readFile(join(this.folder, 'data', 'setup-link'), 'utf8')).trim()
  }

  /** Makes [ADMIN], and signs in as such for [call]. */
  async setUp(): Promise<this> {
    const secret = new URL(await this.setupLink()).hash.slice(1)
    const answer = await fetch(`${this.url}/api/v1/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ secret, ...ADMIN }),
    })
    if (!answer.ok) throw new Error(`set-up: ${answer.status} ${await answer.text()}`)
    this.#cookie = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ')
    this.#csrf = ((await answer.json()) as { csrf: string }).csrf
    return this
  }

  /** The session of [ADMIN], for a browser: nobody has to type it in again. */
  get session(): { name: string; value: string; url: string }[] {
    return this.#cookie.split('; ').map((cookie) => {
      const [name = '', ...value] = cookie.split('=')
      return { name, value: value.join('='), url: this.url }
    })
  }

  /** The API as administrator. A refusal is an error that says which. */
  async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const init: RequestInit = {
      method,
      headers: {
        cookie: this.#cookie,
        'x-muster-csrf': this.#csrf,
        'content-type': 'application/json',
        'idempotency-key': newKey(),
      },
    }
    if (body !== undefined) init.body = JSON.stringify(body)
    const answer = await fetch(`${this.url}/api/v1${path}`, init)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** An answer as it comes, for what never ends. */
  raw(path: string, signal: AbortSignal): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, { headers: { cookie: this.#cookie }, signal })
  }

  /** Adds a remote and waits until all it has is known. */
  async add(name: string, address: string, sign: Record<string, string> = ROOT): Promise<number> {
    const { id, certificate } = await this.call<{ id: string; certificate: { fingerprint: string } }>('POST', '/onboardings', { address })
    await this.call('POST', `/onboardings/${id}/trust`, { fingerprint: certificate.fingerprint })
    await this.call('POST', `/onboardings/${id}/sign-in`, sign)
    const { remote } = await this.call<{ remote: { id: number } }>('POST', `/onboardings/${id}/finish`, {
      name,
      ...('token' in sign ? {} : { rights: 'operate' }),
    })
    await until(`${name} is listed`, async () => {
      const { items } = await this.call<{ items: { name: string; counts: { guests: number | null } }[] }>('GET', '/remotes')
      return items.some((one) => one.name === name && one.counts.guests !== null)
    })
    return remote.id
  }

  /** The command line, on this installation. */
  async cli(...args: string[]): Promise<string> {
    return (await run(program('muster'), [...args, '--data-dir', join(this.folder, 'data')])).stdout
  }

  /** Ends it and starts it again at the same address. */
  async restart(): Promise<void> {
    await this.#process.stop()
    await this.begin()
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    await this.#process.kill()
  }

  /** Starts it again at the same address. */
  async begin(): Promise<void> {
    this.#process = Process.start(program('muster'), [...this.#args, '--listen', new URL(this.url).host])
    await listening(this.#process)
  }

  /** What it wrote to its log. */
  get log(): string {
    return this.#process.output
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    await rm(this.folder, { recursive: true, force: true })
  }
}

const ROOT = { user: 'root@pam', password: 'secret' }

function listening(process: Process): Promise<string> {
  return process.until((output) => /listens on (http:\/\/[0-9.:]+)/.exec(output)?.[1])
}

/** Waits until something holds; what never does is an error that says what. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, seconds = 20): Promise<void> {
  const limit = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > limit) throw new Error(`within ${seconds} s it did not become true that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
