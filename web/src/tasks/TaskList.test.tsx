import { MantineProvider } from '@mantine/core'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { LinkRow, Task } from '~/api/types'
import { TaskList, type TaskListProps } from './TaskList'

const stream = vi.hoisted(() => ({ tasks: new Map<string, Task>(), links: new Map<number, LinkRow>() }))
vi.mock('~/live/hooks', () => ({ useTasks: () => stream.tasks, useLinks: () => stream.links }))
vi.mock('~/ui/AnchorLink', () => ({ AnchorLink: ({ children }: { children: React.ReactNode }) => <a href="/x">{children}</a> }))

beforeEach(() => {
  stream.tasks = new Map()
  stream.links = new Map()
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }))
  vi.stubGlobal('ResizeObserver', class {
    observe = () => undefined
    unobserve = () => undefined
    disconnect = () => undefined
  })
})
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const task = (id: string, outcome: string, second: number) =>
  ({ id, name: id, remote_id: 7, node: 'n', user: 'u', outcome, started: `2026-01-01T00:00:0${second}Z` }) as Task
const list = (items: Task[], props: Partial<TaskListProps> = {}) => (
  <MantineProvider env="test">
    <TaskList asked={{ data: { items, total: items.length }, isPending: false, error: null } as never} mine={() => true} {...props} />
  </MantineProvider>
)
const names = () => screen.getAllByRole('link').map((link) => link.textContent)

it('puts no new line under a pointer, and offers it', () => {
  const { rerender, container } = render(list([task('a', 'ok', 1)]))
  fireEvent.pointerEnter(screen.getByRole('table').closest('.mantine-Stack-root') ?? container)
  rerender(list([task('a', 'ok', 1), task('b', 'running', 2)]))
  expect(names()).toEqual(['a'])
  fireEvent.click(screen.getByRole('button', { name: '1 new: show' }))
  expect(names()).toEqual(['b', 'a'])
})

it('says of a task that ran when its remote was last reached, that it is from then', () => {
  stream.links.set(7, { id: 7, name: 'r', link: { up: false, last_success: new Date(Date.now() - 7_200_000).toISOString() } } as LinkRow)
  render(list([task('a', 'running', 1), task('b', 'ok', 2)]))
  expect(screen.getByText(/running when last seen/).textContent).toBe('running when last seen 2 h ago')
  expect(screen.getAllByText(/when last seen/)).toHaveLength(1)
})

it('does not say that nothing was done with what is not reached', () => {
  const { rerender } = render(list([], { link: { up: true } }))
  expect(screen.getByRole('heading', { name: 'No tasks' }).parentElement?.textContent).toContain('None is kept')
  rerender(list([], { link: { up: false } }))
  expect(screen.getByRole('heading', { name: 'No tasks' }).parentElement?.textContent).toContain('is not known')
})
