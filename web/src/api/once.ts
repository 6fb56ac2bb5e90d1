/** Changes that a person asks for: one key for one wish, so that nothing is done twice when an answer was lost. */
import { useMutation, type UseMutationResult } from '@tanstack/react-query'
import { useState } from 'react'
import { newKey, unanswered } from './client'

/** Holds the key of the present wish. */
export class Once {
  #held: { wish: string; key: string } | undefined

  /** The key for a wish: the same for the same wish while nobody knows whether it arrived. */
  keyFor(wish: unknown): string {
    const text = JSON.stringify(wish) ?? ''
    if (this.#held?.wish !== text) this.#held = { wish: text, key: newKey() }
    return this.#held.key
  }

  /** There was an answer, or none: after an answer the same wish is a new one. */
  ended(error: unknown): void {
    if (error !== undefined && unanswered(error)) return
    this.#held = undefined
  }
}

/** A change. `send` gets the wish, and what goes into `Idempotency-Key`. */
export function useOnce<T, R>(
  send: (wish: T, key: string) => Promise<R>,
  done?: (result: R, wish: T) => unknown,
): UseMutationResult<R, Error, T> {
  const [once] = useState(() => new Once())
  return useMutation<R, Error, T>({
    mutationFn: async (wish) => {
      const key = once.keyFor(wish)
      try {
        const result = await send(wish, key)
        once.ended(undefined)
        return result
      } catch (error) {
        once.ended(error)
        throw error
      }
    },
    onSuccess: async (result, wish) => {
      await done?.(result, wish)
    },
  })
}
