/** A page that could not be shown: what happened, and details to pass on. The rest of the console goes on. */
import { Box, Button } from '@mantine/core'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { Refusal } from '~/api/client'
import { ProblemView } from '~/ui/Problem'

/** A part of the program that the server no longer has: it was renewed since this page was loaded. */
function isOutdated(error: unknown): boolean {
  return error instanceof TypeError && /dynamically imported|importing a module/i.test(error.message)
}

export function Broken({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  if (isOutdated(error)) {
    return (
      <Box p="md" maw={760}>
        <ProblemView
          title="This page could not be loaded"
          error={new Refusal({
            type: 'urn:muster:console:outdated',
            title: 'This page could not be loaded',
            status: 0,
            detail: 'Muster does not answer, or was renewed since this window was opened.',
            remedy: 'Reload the window.',
          })}
        />
        <Button mt="sm" onClick={() => location.reload()}>
          Reload
        </Button>
      </Box>
    )
  }
  return (
    <Box p="md" maw={760}>
      <ProblemView
        error={error}
        again={() => {
          reset()
          void router.invalidate()
        }}
      />
    </Box>
  )
}
