/** One operation followed in a toast: asked for, then how it ended, and where more stands. Never success before its end. */
import { Anchor, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { prefix } from '~/api/client'
import type { Operation } from '~/api/types'
import { sayNotDone } from '~/ui/notDone'
import type { Tone } from '~/ui/State'
import { whom } from './ask'
import { type Outcome, outcome, untold } from './decide'
import { follow } from './follow'
import type { StartedItem, Wish } from './server'
import { power } from './table'

const SETTLED_MS = 6000

const COLOR: Record<Tone, string> = { good: 'green', warn: 'yellow', bad: 'red', off: 'gray', busy: 'blue', unknown: 'gray' }

// Toasts live outside the router; the host of the dialog tells how to go somewhere.
let go: (path: string) => void = (path) => location.assign(path)

export function goBy(navigate: (path: string) => void): void {
  go = navigate
}

/** A link for where the router is not. */
function Go({ path, close, children }: { path: string; close: () => void; children: React.ReactNode }) {
  return (
    <Anchor
      size="sm"
      href={`${prefix}${path}`}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        go(path)
        close()
      }}
    >
      {children}
    </Anchor>
  )
}

function toastId(operation: Operation): string {
  return `operation-${operation.id}`
}

function shown({ tone, title, text, remedy, more, settled }: Outcome, operation: Operation) {
  const id = toastId(operation)
  const close = () => notifications.hide(id)
  return {
    id,
    title: <span className="name">{title}</span>,
    color: COLOR[tone],
    loading: tone === 'busy',
    autoClose: settled ? SETTLED_MS : (false as const),
    // What went wrong is shown before what goes on.
    priority: settled || tone === 'busy' ? 0 : 1,
    withBorder: true,
    'data-state': operation.state,
    message: (
      <Stack gap={2}>
        {text && (
          <Text size="sm" c="var(--mantine-color-text)" className="name">
            {text}
          </Text>
        )}
        {remedy && (
          <Text size="sm" className="quiet">
            {remedy}
          </Text>
        )}
        {more === 'task' && operation.task && (
          <Go path={`/tasks/${operation.remote_id}/${encodeURIComponent(operation.task)}`} close={close}>
            See the task’s log
          </Go>
        )}
        {more === 'operation' && (
          <Go path={`/operations/${operation.id}`} close={close}>
            See the operation
          </Go>
        )}
      </Stack>
    ),
  }
}

/** Follows an operation in a toast, until it has ended or the toast was closed. */
export function toastOperation(operation: Operation): void {
  let stop: () => void = () => undefined
  let closed = false
  const onClose = () => {
    closed = true
    stop()
  }
  const tell = (how: Outcome, now: Operation) => {
    if (!closed) notifications.update({ ...shown(how, now), onClose })
  }
  notifications.show({ ...shown(outcome(operation), operation), onClose })
  stop = follow(operation, {
    told: (now) => tell(outcome(now), now),
    lost: (last, { problem }) => tell(untold(last, problem.detail ?? problem.title), last),
  })
}

/** What became of a wish that was asked for without a dialog, or whose dialog is closed. */
export function toastStarted(wish: Wish, started: readonly StartedItem[]): void {
  const [only] = started
  if (started.length === 1 && only?.operation) {
    toastOperation(only.operation)
    return
  }
  const id = notifications.show({
    title: <span className="name">{`Asked: ${power(wish.action).verb} ${whom(wish)}`}</span>,
    color: 'blue',
    autoClose: false,
    withBorder: true,
    message: (
      <Stack gap={2}>
        <Text size="sm" c="var(--mantine-color-text)">
          No answer had come; the operations show that it did arrive.
        </Text>
        <Go path="/operations" close={() => notifications.hide(id)}>
          See the operations
        </Go>
      </Stack>
    ),
  })
}

/** Says that something was not even recorded, and why, or that nobody knows. What comes back takes it away. */
export function toastRefusal(wish: Wish, error: unknown, again: () => void): () => void {
  const id = sayNotDone(error, `Not done: ${power(wish.action).verb} ${whom(wish)}`, again)
  return () => notifications.hide(id)
}
