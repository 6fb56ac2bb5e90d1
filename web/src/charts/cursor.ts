/** Where the crosshair stands: one place in time for all charts of a page. */
import { createContext, useContext, useState, useSyncExternalStore } from 'react'

export class Cursor {
  #index: number | null = null
  #listeners = new Set<() => void>()

  get index(): number | null {
    return this.#index
  }

  move(index: number | null): void {
    if (index === this.#index) return
    this.#index = index
    this.#listeners.forEach((tell) => tell())
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

export const CursorContext = createContext(new Cursor())

export function useNewCursor(): Cursor {
  const [cursor] = useState(() => new Cursor())
  return cursor
}

export function useCursorIndex(): number | null {
  const cursor = useContext(CursorContext)
  return useSyncExternalStore(cursor.subscribe, () => cursor.index)
}
