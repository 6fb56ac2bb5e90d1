/** A dialog with a form: its fields, where it failed, and its two buttons. */
import { Group, Modal, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { useFocusBack } from '~/ui/useFocusBack'

export interface FormProps {
  title: ReactNode
  act: string
  /** What went wrong, unless a field says it. */
  error: unknown
  pending: boolean
  ready?: boolean
  submit: () => void
  close: () => void
  children: ReactNode
}

export function Form({ title, act, error, pending, ready = true, submit, close, children }: FormProps) {
  useFocusBack()
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          // A form within a page's own list: nobody else shall hear of it.
          event.stopPropagation()
          if (ready) submit()
        }}
      >
        <Stack>
          {children}
          {error != null && <ProblemView error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={pending} disabled={!ready}>
              {act}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
