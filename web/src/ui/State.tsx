/** States as a coloured mark with a word. */
import { words } from '~/format/format'
import classes from './State.module.css'
import { Ago } from './Time'

export type Tone = 'good' | 'warn' | 'bad' | 'off' | 'busy' | 'unknown'

const GUEST: Record<string, Tone> = {
  running: 'good',
  stopped: 'off',
  paused: 'warn',
  suspended: 'warn',
  'node down': 'bad',
  'out of reach': 'unknown',
  unknown: 'unknown',
  missing: 'warn',
  deleted: 'off',
  'not visible': 'unknown',
}

const NODE: Record<string, Tone> = { online: 'good', offline: 'bad', unknown: 'unknown' }

const LINK: Record<string, Tone> = {
  connected: 'good',
  degraded: 'warn',
  connecting: 'busy',
  backing_off: 'bad',
  disconnected: 'off',
  credentials_rejected: 'bad',
  certificate_changed: 'bad',
}

const OPERATION: Record<string, Tone> = {
  pending: 'busy',
  sent: 'busy',
  running: 'busy',
  handed_to_ha: 'busy',
  succeeded: 'good',
  succeeded_with_warnings: 'warn',
  failed: 'bad',
  cancelled: 'off',
  not_sent: 'bad',
  outcome_unknown: 'unknown',
}

const TASK: Record<string, Tone> = { running: 'busy', ok: 'good', warnings: 'warn', failed: 'bad', unknown: 'unknown' }

/** A mark and a word. */
export function State({ tone, children }: { tone: Tone; children: React.ReactNode }) {
  return (
    <span className={classes.state} data-tone={tone}>
      <span className={classes.mark} aria-hidden />
      <span className={classes.word}>{children}</span>
    </span>
  )
}

/** A guest's state, by the `word` of its row. */
export function GuestState({ word }: { word: string }) {
  return <State tone={GUEST[word] ?? 'unknown'}>{word}</State>
}

export function NodeState({ state }: { state: string }) {
  return <State tone={NODE[state] ?? 'unknown'}>{words(state)}</State>
}

/** The tone of a link's state. */
export function linkTone(state: string): Tone {
  return LINK[state] ?? 'unknown'
}

export function LinkState({ state }: { state: string }) {
  return <State tone={linkTone(state)}>{words(state)}</State>
}

/** When something was last seen; `undefined` in it: nobody knows. */
export interface Seen {
  at: number | undefined
}

interface Ongoing {
  tone: Tone | undefined
  state: string
  /** It is known only how it stood then, since its remote is not reached now. */
  seen: Seen | undefined
}

function Ongoing({ tone = 'unknown', state, seen }: Ongoing) {
  if (seen === undefined) return <State tone={tone}>{words(state)}</State>
  return (
    <State tone="unknown">
      {words(state)} when last seen{seen.at !== undefined && ' '}
      {seen.at !== undefined && <Ago at={seen.at} />}
    </State>
  )
}

export function OperationState({ state, seen }: { state: string; seen?: Seen | undefined }) {
  return <Ongoing tone={OPERATION[state]} state={state} seen={seen} />
}

export function TaskState({ outcome, seen }: { outcome: string; seen?: Seen | undefined }) {
  return <Ongoing tone={TASK[outcome]} state={outcome} seen={seen} />
}
