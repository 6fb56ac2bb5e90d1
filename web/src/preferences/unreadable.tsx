/** What is kept of somebody's preferences cannot be read, and nothing is changed before it is taken away: says so, and offers that. */
import { Button, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { Refusal } from '~/api/client'
import type { Schemas } from '~/api/types'

type Key = keyof Schemas['Preferences']

/** What is lost with each of them. */
const LOST: Record<Key, string> = {
  theme: 'the colours',
  density: 'how dense lists are',
  lists: 'the columns and the order of lists',
  views: 'the saved views',
  favourites: 'the favourites',
  ui: 'what else was arranged on screens',
}
const KEYS = Object.keys(LOST) as Key[]

/** The patch that takes them away; `undefined`: this is another error. Where they are not named, all of them. */
export function resetFor(error: unknown): Partial<Record<Key, null>> | undefined {
  if (!(error instanceof Refusal) || error.code !== 'preferences_unreadable') return undefined
  const named = (error.problem.detail ?? '').split(':').at(-1)?.split(/[ ,.]+/) ?? []
  const known = KEYS.filter((key) => named.includes(key))
  return Object.fromEntries((known.length > 0 ? known : KEYS).map((key) => [key, null]))
}

/** Says it in a corner of the window; whether it was that. `reset` takes away what the patch names, and goes on. */
export function sayUnreadable(error: unknown, reset: (patch: Partial<Record<Key, null>>) => void): boolean {
  const patch = resetFor(error)
  if (patch === undefined || !(error instanceof Refusal)) return false
  const lost = KEYS.filter((key) => key in patch).map((key) => LOST[key])
  const id = notifications.show({
    id: 'preferences',
    color: 'yellow',
    autoClose: false,
    withBorder: true,
    role: 'alert',
    title: 'This will not be remembered',
    message: (
      <Stack gap={4} align="flex-start">
        <Text size="sm" c="var(--mantine-color-text)">
          {error.problem.detail} Nothing of it is written over unasked: a Muster of another version may have written it.
        </Text>
        <Text size="sm" className="quiet">
          Reset, these are as at first: {lost.join(', ')}.
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => {
            notifications.hide(id)
            reset(patch)
          }}
        >
          Reset them
        </Button>
      </Stack>
    ),
  })
  return true
}
