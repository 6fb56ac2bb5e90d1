/** Why a step did not come about, in the step: in words by cause, with what helps, and what is left on the host. */
import { Alert, Stack, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { problemFrom } from '~/api/client'
import { Command } from '~/ui/Command'
import { sentence } from '~/format/format'
import { commands, title } from './onboarding'

export function Trouble({ error, children }: { error: unknown; children?: React.ReactNode }) {
  const problem = problemFrom(error)
  const { words, commands: left } = commands(problem.remedy ?? problem.cause?.remedy)
  return (
    <Alert role="alert" color="red" variant="light" icon={<IconAlertTriangle size={18} />} title={title(problem)}>
      <Stack gap={6}>
        {problem.detail && (
          <Text size="sm" className="name">
            {sentence(problem.detail)}
          </Text>
        )}
        {words && (
          <Text size="sm" className="quiet">
            {words}
          </Text>
        )}
        {left.length > 0 && (
          <>
            <Text size="sm">What is left on the host is removed there, as root, with</Text>
            <Command lines={left} />
          </>
        )}
        {children}
      </Stack>
    </Alert>
  )
}
