/** A page that could not be shown: what happened, and details to pass on. The rest of the console goes on. */
import { Box, Button, Code, Group, Stack, Text, Title } from '@mantine/core'
import { useClipboard, useDocumentTitle } from '@mantine/hooks'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { Refusal } from '~/api/client'
import { sessionQuery } from '~/api/session'
import { ProblemView } from '~/ui/Problem'

/** A part of the program that the server no longer has: it was renewed since this page was loaded. */
export function isOutdated(error: unknown): boolean {
  return error instanceof TypeError && /dynamically imported|importing a module|module script failed/i.test(error.message)
}

/** What somebody needs who is to find the fault. Of the address only the path: what was searched for is nobody's business. */
export function detailsOf(error: unknown, componentStack: string | undefined, version: string | undefined): string {
  const what = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error)
  return [
    `Muster ${version ?? '(version not known)'}, ${location.pathname}, ${new Date().toISOString()}`,
    navigator.userAgent,
    '',
    what,
    ...(componentStack ? ['', `In:${componentStack}`] : []),
  ].join('\n')
}

export function Broken({ error, info, reset }: ErrorComponentProps) {
  const router = useRouter()
  const again = () => {
    reset()
    void router.invalidate()
  }
  return (
    <Stack p="md" maw={820} gap="sm">
      {isOutdated(error) ? (
        <Outdated />
      ) : error instanceof Refusal ? (
        <>
          <Heading>This page could not be shown</Heading>
          <ProblemView error={error} again={again} />
        </>
      ) : (
        <Fault error={error} componentStack={info?.componentStack} again={again} />
      )}
    </Stack>
  )
}

function Heading({ children }: { children: string }) {
  useDocumentTitle(`${children} · Muster`)
  return <Title order={1}>{children}</Title>
}

function Outdated() {
  return (
    <>
      <Heading>This could not be loaded</Heading>
      <Text>Muster does not answer, or was renewed since this window was opened.</Text>
      <Box>
        <Button onClick={() => location.reload()}>Reload the window</Button>
      </Box>
    </>
  )
}

function Fault({ error, componentStack, again }: { error: unknown; componentStack: string | undefined; again: () => void }) {
  const version = useQueryClient().getQueryData(sessionQuery.queryKey)?.version
  const clipboard = useClipboard({ timeout: 2000 })
  const details = detailsOf(error, componentStack, version)
  return (
    <>
      <Heading>A fault of the console</Heading>
      <Text>
        This page cannot be shown; the others can. Nothing was changed on any remote by it. If it comes again, pass the details on:
        there are no passwords in them.
      </Text>
      <Group gap="xs">
        <Button onClick={again}>Try again</Button>
        <Button variant="default" onClick={() => location.reload()}>
          Reload the window
        </Button>
        <Button
          variant="default"
          leftSection={clipboard.copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
          onClick={() => clipboard.copy(details)}
        >
          {clipboard.error ? 'Copying is not allowed here: mark them instead' : clipboard.copied ? 'Copied' : 'Copy the details'}
        </Button>
      </Group>
      <Code block style={{ whiteSpace: 'pre-wrap', maxHeight: 320 }} aria-label="Details" tabIndex={0}>
        {details}
      </Code>
    </>
  )
}
