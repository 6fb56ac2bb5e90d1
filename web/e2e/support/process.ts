/** Programs under test: started, read, and ended with the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Where cargo puts its programs; `MUSTER_BIN` names another folder. */
export function program(name: string): string {
  const folder = process.env.MUSTER_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug')
  const path = join(folder, name)
  if (!existsSync(path)) throw new Error(`${path} is not there: build it with "cargo build --package ${name}"`)
  return path
}

export class Process {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  /** All it has written. */
  output = ''
  #listeners = new Set<() => void>()
  over = false

  private constructor(child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8')
      stream?.on('data', (text: string) => {
        this.output += text
        this.#listeners.forEach((tell) => tell())
      })
    }
    this.#ended = new Promise((resolve) =>
      child.once('exit', () => {
        this.over = true
        this.#listeners.forEach((tell) => tell())
        resolve()
      }),
    )
  }

  static start(path: string, args: string[], env: Record<string, string> = {}): Process {
    return new Process(spawn(path, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  /** Waits until `found` finds something in what was written. */
  async until<T>(found: (output: string) => T | undefined, seconds = 30): Promise<T> {
    const limit = Date.now() + seconds * 1000
    for (;;) {
      const value = found(this.output)
      if (value !== undefined) return value
      if (this.over || Date.now() > limit) throw new Error(`not found in what the program wrote:\n${this.output}`)
      await new Promise<void>((resolve) => {
        const tell = () => {
          this.#listeners.delete(tell)
          resolve()
        }
        this.#listeners.add(tell)
        setTimeout(tell, 500)
      })
    }
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<void> {
    if (!this.over) this.#child.kill('SIGTERM')
    await this.#ended
  }

  /** Ends it at once, as a power cut does. */
  async kill(): Promise<void> {
    if (!this.over) this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** The first line that fits. */
export function firstLine(process: Process, fits: (line: string) => boolean): Promise<string> {
  return process.until((output) => output.split('\n').slice(0, -1).find(fits))
}
