/** Asks before something is ended or removed: names it, says what is lost, and shows there why it could not be done. */
import { Group, Modal, Stack, TextInput } from '@mantine/core'
import type { UseMutationResult } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { Button } from './Button'
import { ProblemView } from './Problem'
import { useFocusBack } from './useFocusBack'

export interface SureProps {
  title: string
  /** What is lost. */
  children: ReactNode
  /** On the button. */
  act: string
  /** Has to be typed first. */
  name?: string
  harsh?: boolean
  change: Pick<UseMutationResult<unknown, Error, void>, 'mutate' | 'isPending' | 'error'>
  close: () => void
}

export function Sure({ title, children, act, name, harsh = true, change, close }: SureProps) {
  useFocusBack()
  const [typed, setTyped] = useState('')
  const ready = name === undefined || typed === name
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) change.mutate()
        }}
      >
        <Stack>
          {children}
          {name !== undefined && (
            <TextInput
              data-autofocus
              label={
                <>
                  Type <b className="name">{name}</b> to confirm
                </>
              }
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
            />
          )}
          {change.error && <ProblemView error={change.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus={name === undefined || undefined}>
              Cancel
            </Button>
            <Button type="submit" color={harsh ? 'red' : undefined} loading={change.isPending} disabled={!ready}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
