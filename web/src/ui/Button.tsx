/**
 * A button that keeps the focus while what it began is being done. Mantine's own is disabled meanwhile: whoever works by keys
 * would have to begin at the top of the page.
 */
import { Button as Plain, type ButtonProps as PlainProps } from '@mantine/core'
import type { ComponentPropsWithRef, MouseEvent } from 'react'

export type ButtonProps = PlainProps & Omit<ComponentPropsWithRef<'button'>, keyof PlainProps> & { 'data-disabled'?: boolean | undefined }

export function Button({ loading, onClick, ...rest }: ButtonProps) {
  if (loading !== true || rest.disabled === true) return <Plain {...rest} loading={loading} onClick={onClick} />
  return <Plain {...rest} loading onClick={hold} aria-disabled renderRoot={(props) => <button {...props} disabled={false} />} />
}

/** Once is enough; that of a form would send it again. */
function hold(event: MouseEvent) {
  event.preventDefault()
}
