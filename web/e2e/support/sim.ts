/** The simulated fleet: a `pve-sim` process, its faults and edits. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstLine, Process, program } from './process'

interface Printed {
  control: string
  remotes: {
    name: string
    nodes: { name: string; address: string; fingerprint: string }[]
    users: { userid: string; password: string; tokens: { name: string; secret: string }[]; totp_secret: string | null }[]
  }[]
}

export class Sim {
  readonly #process: Process
  readonly #folder: string
  readonly printed: Printed

  private constructor(process: Process, folder: string, printed: Printed) {
    this.#process = process
    this.#folder = folder
    this.printed = printed
  }

  /** Starts a fleet that a topology file describes (docs/simulator.md). */
  static async start(topology: string, ...more: string[]): Promise<Sim> {
    const folder = await mkdtemp(join(tmpdir(), 'muster-e2e-sim-'))
    const file = join(folder, 'topology.toml')
    await writeFile(file, topology)
    const args = ['--topology', file, '--control', '127.0.0.1:0', '--print-json', '--fast', ...more]
    const process = Process.start(program('pve-sim'), args)
    const printed = JSON.parse(await firstLine(process, (line) => line.startsWith('{'))) as Printed
    return new Sim(process, folder, printed)
  }

  remote(name: string): Printed['remotes'][number] {
    const found = this.printed.remotes.find((remote) => remote.name === name)
    if (!found) throw new Error(`no simulated remote ${name}`)
    return found
  }

  /** `host:port` of a remote's first node. */
  address(name: string): string {
    return this.remote(name).nodes[0]?.address ?? ''
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const init: RequestInit = { method }
    if (body !== undefined) init.body = JSON.stringify(body)
    const answer = await fetch(`${this.printed.control}${path}`, init)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** Puts a fault in force. */
  fault(remote: string, fault: { fault: string; [field: string]: unknown }): Promise<unknown> {
    return this.#call('POST', `/remotes/${remote}/faults`, fault)
  }

  /** Ends all faults of a remote. */
  mend(remote: string): Promise<unknown> {
    return this.#call('DELETE', `/remotes/${remote}/faults`)
  }

  /** An edit of what is behind the sockets. */
  edit(remote: string, edit: { do: string; [field: string]: unknown }): Promise<unknown> {
    return this.#call('POST', `/remotes/${remote}/world`, edit)
  }

  /** Every request that reached a remote. */
  async journal(remote: string): Promise<{ method: string; path: string }[]> {
    return (await this.#call('GET', `/remotes/${remote}/journal`)) as { method: string; path: string }[]
  }

  async stop(): Promise<void> {
    await this.#process.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
