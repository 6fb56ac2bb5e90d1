/**
 * Changes that a person asks for: one key for one wish, so that nothing is done twice when an answer was lost. Every change
 * with an `Idempotency-Key` is sent by [once], or by [useOnce], which is a mutation of it.
 */
import { useMutation, type UseMutationResult } from '@tanstack/react-query'
import { useState } from 'react'
import { problemFrom, Refusal, unanswered } from './client'

/** Wishes of a tab that nobody knows the end of are few. Those beyond are the oldest, and long repeated or given up. */
const MOST = 200

/** What a wish is about. */
export interface About {
  /** What is to be done: one word for one kind of request. */
  deed: string
  /** The things it changes, by names of the caller's own. When something else was done to one of them, the wish is over. */
  things: readonly string[]
  /** What is unknown when no answer came: `web was asked to reboot`. */
  said?: string
}

/**
 * It did not succeed, and it is not known that nothing was done: no answer came, or one that leaves it open. Whoever shows it
 * says what it says, never that it was not done.
 */
export class Undecided extends Refusal {
  constructor(error: unknown, said = 'it was done') {
    const problem = problemFrom(error)
    if (!unanswered(error)) {
      super(problem)
      return
    }
    const doing = error instanceof Refusal && error.code === 'in_progress'
    super({
      ...problem,
      title: `Unknown whether ${said}: ${doing ? 'it is still on its way' : 'no answer came'}`,
      remedy: 'Ask again: what did arrive is not done a second time.',
    })
  }
}

/** Answers after which it may have been done all the same. */
const OPEN = new Set(['outcome_unknown', 'already_done', 'not_recorded', 'internal'])

function undecided(error: unknown): boolean {
  return unanswered(error) || (error instanceof Refusal && OPEN.has(error.code))
}

interface Held extends About {
  wish: string
  key: string
  /** Whether it was sent, and no answer came. */
  open: boolean
}

/** Wishes under way, and those that nobody knows the end of, each with its key. */
export class Wishes {
  #held: Held[] = []

  /** Sends a wish: with the key that it had, for as long as nobody knows whether it arrived; after an answer with a new one. */
  async send<R>(wish: unknown, about: About, send: (key: string) => Promise<R>): Promise<R> {
    const held = this.#of(wish, about)
    try {
      const result = await send(held.key)
      // Something was done: an earlier wish about the same, sent again, would be another one.
      this.#drop((one) => one === held || (one.open && one.things.some((thing) => held.things.includes(thing))))
      return result
    } catch (error) {
      if (unanswered(error)) held.open = true
      else this.#drop((one) => one === held)
      throw undecided(error) ? new Undecided(error, about.said) : error
    }
  }

  /** What became of a wish was learned otherwise: asked for again, it is a new one. */
  settle(wish: unknown, about: About): void {
    const text = textOf(wish, about)
    this.#drop((one) => one.wish === text)
  }

  /** What is unknown of the same things, of all wishes but this one. */
  unknown(but: unknown, about: About): string[] {
    const text = textOf(but, about)
    return this.#held
      .filter((one) => one.open && one.wish !== text && one.things.some((thing) => about.things.includes(thing)))
      .map((one) => one.said ?? 'it was done')
  }

  clear(): void {
    this.#held = []
  }

  #of(wish: unknown, about: About): Held {
    const text = textOf(wish, about)
    const had = this.#held.find((one) => one.wish === text)
    if (had) return had
    const held = { ...about, wish: text, key: newKey(), open: false }
    this.#held = [...this.#held.slice(1 - MOST), held]
    return held
  }

  #drop(which: (one: Held) => boolean): void {
    this.#held = this.#held.filter((one) => !which(one))
  }
}

/** A text that no other wish has. Not `crypto.randomUUID`, which is there over HTTPS only. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function textOf(wish: unknown, { deed, things }: About): string {
  return JSON.stringify([deed, things, wish])
}

/** Those of this tab: they outlive the button, notice or dialog from which they were sent. */
export const wishes = new Wishes()

/** Sends a wish about something that has a name, outside of a component. */
export function once<R>(wish: unknown, about: About, send: (key: string) => Promise<R>): Promise<R> {
  return wishes.send(wish, about, send)
}

const HERE: About = { deed: 'this', things: ['here'] }

/**
 * A change. `send` gets the wish, and what goes into `Idempotency-Key`. With `about` the wish outlives the component: closed
 * and opened again, it is still the same one.
 */
export function useOnce<T, R>(
  send: (wish: T, key: string) => Promise<R>,
  done?: (result: R, wish: T) => unknown,
  about?: About,
): UseMutationResult<R, Error, T> {
  const [own] = useState(() => new Wishes())
  return useMutation<R, Error, T>({
    mutationFn: (wish) => (about ? wishes : own).send(wish, about ?? HERE, (key) => send(wish, key)),
    onSuccess: async (result, wish) => {
      await done?.(result, wish)
    },
  })
}
