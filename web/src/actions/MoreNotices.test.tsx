import { MantineProvider } from '@mantine/core'
import { notifications, Notifications } from '@mantine/notifications'
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { MoreNotices } from './MoreNotices'

beforeAll(() => {
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
})

afterEach(() => {
  act(() => notifications.clean())
  cleanup()
})

function tell(...texts: string[]): void {
  act(() => texts.forEach((message) => notifications.show({ message, autoClose: false })))
}

test('what waits behind four notices is told of, and comes when those are closed', async () => {
  render(
    <MantineProvider env="test">
      <Notifications limit={4} />
      <MoreNotices />
    </MantineProvider>,
  )
  tell('a', 'b', 'c', 'd')
  expect(screen.queryByText(/wait/)).toBeNull()
  tell('e failed', 'f failed')
  expect(screen.getByText('2 more notices wait')).toBeTruthy()
  expect(screen.queryByText('e failed')).toBeNull()
  fireEvent.click(screen.getByRole('button', { name: 'Close those shown' }))
  expect(await screen.findByText('e failed')).toBeTruthy()
  expect(screen.queryByText(/more notice/)).toBeNull()
})
