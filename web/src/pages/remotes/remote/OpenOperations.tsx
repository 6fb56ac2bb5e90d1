/** The operations that stand in the way of disconnecting or removing a remote. */
import { Alert, Stack, Text } from '@mantine/core'
import { problemFrom, Refusal } from '~/api/client'
import { useOperations } from '~/live/hooks'
import { AnchorLink } from '~/ui/AnchorLink'
import { OperationState } from '~/ui/State'

export function isOpen(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'open_operations'
}

export function OpenOperations({ error }: { error: unknown }) {
  const problem = problemFrom(error)
  const known = useOperations()
  return (
    <Alert role="alert" color="yellow" variant="light" title={problem.title}>
      <Stack gap={4}>
        <Text size="sm">{problem.detail}</Text>
        {(problem.candidates ?? []).map(({ id }) => {
          const operation = known?.get(id)
          return (
            <Text size="sm" key={id} component="div">
              <AnchorLink size="sm" c="inherit" underline="always" to="/operations/$id" params={{ id }}>
                {operation ? `${operation.action} ${operation.name ?? operation.guest}` : `operation ${id}`}
              </AnchorLink>{' '}
              {operation && <OperationState state={operation.state} />}
            </Text>
          )
        })}
      </Stack>
    </Alert>
  )
}
