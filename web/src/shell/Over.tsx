/** What opens over a page and cannot be shown: that is said over the page, which stays as it is. */
import { Modal } from '@mantine/core'
import { CatchBoundary, type ErrorComponentProps } from '@tanstack/react-router'
import { type ReactNode, Suspense, useCallback } from 'react'
import { Broken } from './Broken'

interface OverProps {
  /** What is opened: another one is another try. */
  of: unknown
  close: () => void
  children: ReactNode
}

export function Over({ of, close, children }: OverProps) {
  const Fault = useCallback(
    (props: ErrorComponentProps) => (
      <Modal opened onClose={close} title="It could not be opened" size="lg">
        <Broken {...props} />
      </Modal>
    ),
    [close],
  )
  return (
    <CatchBoundary getResetKey={() => of} errorComponent={Fault}>
      <Suspense fallback={null}>{children}</Suspense>
    </CatchBoundary>
  )
}
