/** What a page about one thing shows before it is known, and when it is not there. */
import { Skeleton, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { Refusal } from '~/api/client'
import { Empty } from './Empty'
import { Page } from './Page'
import { ProblemView } from './Problem'

export function DetailLoading() {
  return (
    <Stack gap="md" p={{ base: 'sm', sm: 'md' }} role="status" aria-label="Loading">
      <Skeleton height={30} width={320} maw="100%" />
      <Skeleton height={20} width={420} maw="100%" />
      <Skeleton height={26} width={620} maw="100%" />
      <Skeleton height={70} mt="lg" />
      <Skeleton height={210} />
    </Stack>
  )
}

interface DetailFailedProps {
  error: unknown
  again: () => void
  title: string
  /** What it is: `guest`. */
  what: string
  /** Where there are others. */
  all: ReactNode
}

/** Not there, or not to be seen (the server does not tell which), or not told. */
export function DetailFailed({ error, again, title, what, all }: DetailFailedProps) {
  return (
    <Page title={title}>
      {error instanceof Refusal && error.status === 404 ? (
        <Empty title={`No such ${what}`} action={all}>
          There is no {what} of this name or number here, or you may not see it.
        </Empty>
      ) : (
        <ProblemView error={error} again={again} />
      )}
    </Page>
  )
}
