/**
 * Where every screen says that something shall be done: [operate]. What needs a word of confirmation, or concerns several
 * guests, opens the dialog of `OperateHost`; the rest is asked for at once and followed in a toast.
 */
import { ask } from './ask'
import type { Wish } from './server'
import { power } from './table'
import { toastRefusal, toastStarted } from './toast'

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
  if (wish.targets.length === 0) return
  if (wish.targets.length > 1 || power(wish.action).confirm) openDialog(wish)
  else await askInToast(wish)
}

/** Asks without a dialog; whatever comes of it is told in a toast. */
export async function askInToast(wish: Wish): Promise<void> {
  let hide: () => void = () => undefined
  try {
    toastStarted(
      wish,
      await ask(wish, (started) => {
        hide()
        toastStarted(wish, started)
      }),
    )
  } catch (error) {
    hide = toastRefusal(wish, error, () => void askInToast(wish))
  }
}
