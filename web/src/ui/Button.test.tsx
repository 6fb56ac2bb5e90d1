import { MantineProvider } from '@mantine/core'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { Button } from './Button'

vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
afterEach(cleanup)

it('stays the same button with the focus while it is busy, and does nothing twice', () => {
  const act = vi.fn((event: React.FormEvent) => event.preventDefault())
  const shown = (loading: boolean) => (
    <MantineProvider env="test">
      <form onSubmit={act}>
        <Button type="submit" loading={loading}>
          Save
        </Button>
      </form>
    </MantineProvider>
  )
  const { rerender } = render(shown(false))
  const button = screen.getByRole<HTMLButtonElement>('button', { name: 'Save' })
  button.focus()
  fireEvent.click(button)
  rerender(shown(true))
  expect(screen.getByRole('button', { name: 'Save' })).toBe(button)
  expect([button.disabled, button.getAttribute('aria-disabled')]).toEqual([false, 'true'])
  fireEvent.click(button)
  expect(act).toHaveBeenCalledTimes(1)
  rerender(shown(false))
  expect([document.activeElement === button, button.hasAttribute('aria-disabled')]).toEqual([true, false])
  fireEvent.click(button)
  expect(act).toHaveBeenCalledTimes(2)
})
