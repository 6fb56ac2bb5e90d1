/** A password for somebody else: typed, or made up here. */
import { Button, Group, PasswordInput, Stack, TextInput } from '@mantine/core'
import { IconDice5 } from '@tabler/icons-react'
import { useState } from 'react'
import { Copy } from '~/ui/Id'
import { madeUp } from './made-up'

export interface NewPasswordProps {
  value: string
  change: (to: string) => void
  error?: string | undefined
}

export function NewPassword({ value, change, error }: NewPasswordProps) {
  const [shown, setShown] = useState(false)
  return (
    <Stack gap={6}>
      {shown ? (
        <TextInput
          label="Password"
          description="They can change it in their account."
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          rightSection={<Copy text={value} what="the password" />}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          error={error}
          required
        />
      ) : (
        <PasswordInput
          label="Password"
          description="Ten letters or more. They can change it in their account."
          value={value}
          onChange={(event) => change(event.currentTarget.value)}
          autoComplete="new-password"
          error={error}
          required
        />
      )}
      <Group>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconDice5 size={14} />}
          onClick={() => {
            change(madeUp())
            setShown(true)
          }}
        >
          Make one up
        </Button>
      </Group>
    </Stack>
  )
}
