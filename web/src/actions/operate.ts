/**
 * Where every screen says that something shall be done: [operate]. What needs a word of confirmation, or concerns several
 * guests, opens the dialog of `OperateHost`; the rest is asked for at once and followed in a toast.
 */
import { newKey } from '~/api/client'
import type { Operation } from '~/api/types'
import { startOne, type Target, type Wish } from './server'
import { power } from './table'
import { toastOperation, toastRefusal } from './toast'

/** What the dialog is asked to show: the wish, and a number that makes it another dialog. */
export interface Asked {
  wish: Wish
  number: number
}

let asked: Asked | undefined
let number = 0
const listeners = new Set<() => void>()

export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function current(): Asked | undefined {
  return asked
}

function set(wish: Wish | undefined): void {
  number += 1
  asked = wish && { wish, number }
  listeners.forEach((tell) => tell())
}

/** Opens the dialog. */
export function openDialog(wish: Wish): void {
  set(wish)
}

export function closeDialog(): void {
  set(undefined)
}

/** Says that something shall be done. Resolves when it was asked for, or a person is asked; never fails. */
export async function operate(wish: Wish): Promise<void> {
  const only = wish.targets.length === 1 ? wish.targets[0] : undefined
  if (only === undefined || power(wish.action).confirm) {
    if (wish.targets.length > 0) openDialog(wish)
    return
  }
  await askOne(wish, only, newKey())
}

/** Asks for one without a dialog; whatever comes of it is told in a toast. */
async function askOne(wish: Wish, target: Target, key: string): Promise<Operation | undefined> {
  try {
    const operation = await startOne(wish, target, key)
    toastOperation(operation)
    return operation
  } catch (error) {
    // The same wish, sent again: if it had arrived after all, the first answer comes back.
    toastRefusal(wish, target, error, () => void askOne(wish, target, key))
    return undefined
  }
}
