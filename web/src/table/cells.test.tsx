import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { AsOf } from './asOf'
import { Since } from './cells'

afterEach(cleanup)

const HOUR_MS = 3_600_000
const at = (ms: number) => new Date(ms).toISOString()

it('says beside a state how old it is, and nothing beside one that is so now', () => {
  const { container, rerender } = render(<Since of={{ freshness: 'live' }} at={at(Date.now())} />)
  expect(container.textContent).toBe('')
  rerender(<Since of={{ freshness: 'stale', since: at(Date.now() - HOUR_MS) }} at={at(Date.now() - 2 * HOUR_MS)} why="the remote is not reached" />)
  expect(screen.getByText('2 h ago').getAttribute('title')).toMatch(/^Last seen .*\. Not newer: the remote is not reached$/)
  rerender(<Since of={{ freshness: 'never_seen' }} at={null} />)
  expect(container.textContent).toBe('never')
})

it('says of what is live as of when that is, while nobody tells what changes', () => {
  const { container } = render(
    <AsOf value={Date.now()}>
      <Since of={{ freshness: 'live' }} at={at(Date.now())} />
    </AsOf>,
  )
  expect(container.textContent).toMatch(/^as of \d/)
})
