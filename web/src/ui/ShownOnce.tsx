/** A secret that is shown this once: nothing but a person's own word takes it off the screen. */
import { Alert, Button, Group, Modal, Stack } from '@mantine/core'
import { useBlocker } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { Secret } from './Secret'

interface ShownOnceProps {
  title: string
  /** What it is for, and what is to be done with it. */
  children: ReactNode
  text: string
  /** What it is called. */
  label: string
  file?: string
  /** On the button: that it was kept. */
  kept: string
  done: () => void
}

export function ShownOnce({ title, children, text, label, file, kept, done }: ShownOnceProps) {
  // Going back would lose it. The end of the session is no going back: it leads to the sign-in whatever is on screen.
  useBlocker({ shouldBlockFn: ({ action }) => action === 'BACK' || action === 'FORWARD' || action === 'GO', enableBeforeUnload: true })
  return (
    <Modal opened onClose={done} title={title} withCloseButton={false} closeOnClickOutside={false} closeOnEscape={false}>
      <Stack>
        <Alert color="yellow" role="status" title="Shown this once">
          {children}
        </Alert>
        <Secret text={text} label={label} {...(file === undefined ? {} : { file })} />
        <Group justify="flex-end">
          <Button onClick={done}>{kept}</Button>
        </Group>
      </Stack>
    </Modal>
  )
}
