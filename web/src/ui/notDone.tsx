/** Says in a corner of the window that something was not done, or that nobody knows, where there is no form to say it in. */
import { Button, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { problemFrom, unanswered } from '~/api/client'
import { Undecided } from '~/api/once'

/** `title`: what did not happen, said only where that is known. `again` is offered where no answer came. Tells its id. */
export function sayNotDone(error: unknown, title: string, again?: () => void): string {
  const problem = problemFrom(error)
  const unknown = error instanceof Undecided
  const remedy = problem.remedy ?? problem.cause?.remedy
  const id = notifications.show({
    title: <span className="name">{unknown ? problem.title : title}</span>,
    color: unknown ? 'yellow' : 'red',
    autoClose: false,
    priority: 1,
    withBorder: true,
    role: 'alert',
    message: (
      <Stack gap={4} align="flex-start">
        <Text size="sm" c="var(--mantine-color-text)" className="name">
          {problem.detail ?? problem.title}
        </Text>
        {remedy && (
          <Text size="sm" className="quiet">
            {remedy}
          </Text>
        )}
        {again && unanswered(error) && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              notifications.hide(id)
              again()
            }}
          >
            Ask again
          </Button>
        )}
      </Stack>
    ),
  })
  return id
}
