/** [usePinned]: what stays in sight while a table is scrolled sideways, and whether it can be. */
import { type RefObject, useEffect } from 'react'

/** Tells the style of a grid how far what is pinned has to move. `layout`: something else whenever its columns are. */
export function usePinned(grid: RefObject<HTMLElement | null>, layout: unknown): void {
  useEffect(() => {
    const element = grid.current
    if (!element) return
    const slide = () => {
      const { scrollLeft, scrollWidth, clientWidth } = element
      element.style.setProperty('--from-start', `${scrollLeft}px`)
      const over = Math.max(0, scrollWidth - clientWidth)
      element.style.setProperty('--from-end', `${scrollLeft - over}px`)
      // Some columns are out of sight.
      element.toggleAttribute('data-tight', over > 1)
    }
    let left = element.scrollLeft
    const scrolled = () => {
      if (element.scrollLeft === left) return
      left = element.scrollLeft
      slide()
    }
    slide()
    const size = new ResizeObserver(slide)
    size.observe(element)
    // Before what draws rows anew: asking afterwards where it stands would lay it all out at once.
    element.addEventListener('scroll', scrolled, { passive: true, capture: true })
    return () => {
      size.disconnect()
      element.removeEventListener('scroll', scrolled, { capture: true })
    }
  }, [grid, layout])
}
