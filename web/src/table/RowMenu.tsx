/** The menu of a row, where it was asked for. */
import { Menu } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './DataTable.module.css'

/** Where a menu hangs, and what of. */
export interface Anchor<R> {
  row: R
  x: number
  y: number
}

/** A menu is as high as there is room for, and scrolls. */
function shorten({ availableHeight, elements }: { availableHeight: number; elements: { floating: HTMLElement } }) {
  elements.floating.style.maxHeight = `${Math.max(160, availableHeight)}px`
}

export interface RowMenuProps {
  x: number
  y: number
  /** What the row is called. */
  name: string
  onClose: () => void
  children: ReactNode
}

export function RowMenu({ x, y, name, onClose, children }: RowMenuProps) {
  return (
    <Menu
      opened
      onChange={(opened) => !opened && onClose()}
      position="bottom-end"
      withinPortal
      returnFocus={false}
      // Not by keys: the one that opens it would close it.
      clickOutsideEvents={['mousedown', 'touchstart']}
      middlewares={{ flip: true, shift: { padding: 8 }, size: { padding: 8, apply: shorten } }}
    >
      <Menu.Target>
        <span className={classes.anchor} style={{ left: x, top: y }} />
      </Menu.Target>
      <Menu.Dropdown aria-label={`Actions for ${name}`} className={classes.menu}>
        {children}
      </Menu.Dropdown>
    </Menu>
  )
}
