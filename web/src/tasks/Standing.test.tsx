import { cleanup, render } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import type { LinkRow } from '~/api/types'
import { AsOf } from '~/table/asOf'
import { Links, Standing } from './Standing'

afterEach(cleanup)

const link = (up: boolean) => new Map([[7, { id: 7, name: 'r', link: { up, last_success: new Date(Date.now() - 7_200_000).toISOString() } } as LinkRow]])

function said(up: boolean, open: boolean, asOf?: number): string {
  const { container } = render(
    <AsOf value={asOf}>
      <Links value={link(up)}>
        <Standing remote={7} open={open} state="running">
          as it is
        </Standing>
      </Links>
    </AsOf>,
  )
  return container.textContent
}

it('says when what has not ended was last seen, once its remote is not reached', () => {
  expect(said(true, true)).toBe('as it is')
  expect(said(false, true)).toBe('running2 h ago')
})

it('says as of when it stands so, while nobody tells what changes', () => {
  expect(said(true, true, Date.now())).toMatch(/^runningas of /)
})

it('leaves what has ended as it is', () => {
  expect(said(false, false, Date.now())).toBe('as it is')
})
