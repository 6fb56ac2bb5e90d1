/** What went wrong, where it was started: cause, remedy, and a way to try again. */
import { Alert, Button, Code, Collapse, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertTriangle } from '@tabler/icons-react'
import { problemFrom } from '~/api/client'
import { Undecided } from '~/api/once'
import { Copy } from './Id'

interface ProblemViewProps {
  error: unknown
  again?: () => void
  /** What it means here. Not said where nobody knows whether it was done. */
  title?: string
}

export function ProblemView({ error, again, title: said }: ProblemViewProps) {
  const problem = problemFrom(error)
  const unknown = error instanceof Undecided
  const title = unknown ? problem.title : (said ?? problem.title)
  const [open, details] = useDisclosure(false)
  const text = JSON.stringify(problem, null, 2)
  const remedy = problem.remedy ?? problem.cause?.remedy
  return (
    <Alert role="alert" color={unknown ? 'yellow' : 'red'} variant="light" icon={<IconAlertTriangle size={18} />} title={title}>
      <Stack gap={6}>
        {problem.detail && problem.detail !== title && <Text size="sm">{problem.detail}</Text>}
        {problem.cause && problem.cause.sentence !== problem.detail && <Text size="sm">{problem.cause.sentence}</Text>}
        {remedy && (
          <Text size="sm" className="quiet">
            {remedy}
          </Text>
        )}
        <Group gap="xs">
          {again && (
            <Button size="compact-sm" variant="default" onClick={again}>
              {unknown ? 'Ask again' : 'Try again'}
            </Button>
          )}
          <Button size="compact-sm" variant="subtle" color="gray" onClick={details.toggle} aria-expanded={open}>
            Details
          </Button>
        </Group>
        <Collapse expanded={open}>
          <Group align="flex-start" gap={4} wrap="nowrap">
            <Code block style={{ flex: 1, whiteSpace: 'pre-wrap' }}>
              {text}
            </Code>
            <Copy text={text} what="details" />
          </Group>
        </Collapse>
      </Stack>
    </Alert>
  )
}
