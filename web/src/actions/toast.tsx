/** One operation followed in a toast: asked for, then how it ended, and where more stands. Never success before its end. */
import { Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { prefix, problemFrom, unanswered } from '~/api/client'
import type { Operation } from '~/api/types'
import type { Tone } from '~/ui/State'
import { outcome } from './decide'
import { follow } from './follow'
import type { Target, Wish } from './server'
import { power } from './table'

const SETTLED_MS = 6000

const COLOR: Record<Tone, string> = { good: 'green', warn: 'yellow', bad: 'red', off: 'gray', busy: 'blue', unknown: 'gray' }

// Toasts live outside the router; the host of the dialog tells how to go somewhere.
let go: (path: string) => void = (path) => location.assign(path)

export function goBy(navigate: (path: string) => void): void {
  go = navigate
}

/** A link for where the router is not. */
function Go({ path, close, children }: { path: string; close: string; children: React.ReactNode }) {
  return (
    <Anchor
      size="sm"
      href={`${prefix}${path}`}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        go(path)
        notifications.hide(close)
      }}
    >
      {children}
    </Anchor>
  )
}

function toastId(operation: Operation): string {
  return `operation-${operation.id}`
}

function shown(operation: Operation) {
  const id = toastId(operation)
  const { tone, title, text, remedy, more, settled } = outcome(operation)
  return {
    id,
    title: <span className="name">{title}</span>,
    color: COLOR[tone],
    loading: tone === 'busy',
    autoClose: settled ? SETTLED_MS : (false as const),
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
          <Go path={`/tasks/${operation.remote_id}/${encodeURIComponent(operation.task)}`} close={id}>
            See the task’s log
          </Go>
        )}
        {more === 'operation' && (
          <Go path={`/operations/${operation.id}`} close={id}>
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
  notifications.show({ ...shown(operation), onClose })
  stop = follow(operation, (now) => {
    if (!closed) notifications.update({ ...shown(now), onClose })
  })
}

/** Says that something was not even recorded, and why. */
export function toastRefusal(wish: Wish, target: Target, error: unknown, again: () => void): void {
  const problem = problemFrom(error)
  const { verb } = power(wish.action)
  const id = notifications.show({
    title: <span className="name">{`${unanswered(error) ? 'Unknown whether it was asked for' : 'Not done'}: ${verb} ${target.name ?? target.vmid}`}</span>,
    color: 'red',
    autoClose: false,
    withBorder: true,
    message: (
      <Stack gap={4}>
        <Text size="sm" c="var(--mantine-color-text)">
          {problem.detail ?? problem.title}
        </Text>
        {problem.remedy && (
          <Text size="sm" className="quiet">
            {problem.remedy}
          </Text>
        )}
        {unanswered(error) && (
          <Group>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => {
                notifications.hide(id)
                again()
              }}
            >
              Try again
            </Button>
          </Group>
        )}
      </Stack>
    ),
  })
}
