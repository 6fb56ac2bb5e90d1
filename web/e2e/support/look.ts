/** What a person would see at once: something that runs over, lies on something else, or cannot be read. */
import AxeBuilder from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** What runs over the window, or over the box it stands in, and controls that lie on each other. */
export function misplaced(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = []
    const name = (element: Element) =>
      `<${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''}> ${(element.getAttribute('aria-label') ?? element.textContent).trim().slice(0, 60)}`
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
    if (wide > 0) found.push(`the page is ${wide} px wider than the window`)
    const shown = (element: Element) => {
      const box = element.getBoundingClientRect()
      return box.width > 1 && box.height > 1 && element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
    }
    /** Something that scrolls sideways by itself may hold what is wider than the window. */
    const scrolls = (element: Element | null): boolean => {
      for (let at = element; at && at !== document.body; at = at.parentElement) {
        const style = getComputedStyle(at)
        if (/auto|scroll|hidden|clip/.test(style.overflowX)) return true
      }
      return false
    }
    for (const element of document.querySelectorAll('button, a, input, select, textarea, h1, h2, h3, [role=tab], [role=row]')) {
      // What is there for the keyboard only lies outside until it is reached.
      if (!shown(element) || element.matches('.skip-link')) continue
      const box = element.getBoundingClientRect()
      if ((box.right > innerWidth + 1 || box.left < -1) && !scrolls(element.parentElement)) {
        found.push(`runs over the window: ${name(element)}`)
      }
    }
    // Behind a dialog everything lies under its veil, on purpose.
    const reached = document.querySelector('[role=dialog][aria-modal=true]') ?? document
    const controls = [...reached.querySelectorAll('button, a[href], input, select, textarea')].filter(shown)
    for (const control of controls) {
      const box = control.getBoundingClientRect()
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2]
      if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue
      const top = document.elementFromPoint(x, y)
      if (!top || top === control || control.contains(top) || top.contains(control)) continue
      // A control in a box that has scrolled it away, or behind what lies over the page on purpose.
      if (top.closest('[role=dialog], [data-overlay], [role=menu], [role=listbox], header, .mantine-AppShell-navbar, thead, [role=columnheader], [role=status], .mantine-Notifications-root')) continue
      if (control instanceof HTMLInputElement && (control.labels?.length ?? 0) > 0 && [...(control.labels ?? [])].some((label) => label.contains(top))) continue
      const style = getComputedStyle(control)
      if (style.pointerEvents === 'none' || style.opacity === '0') continue
      found.push(`${name(control)} lies under ${name(top)}`)
    }
    return found
  })
}

/** Faults that keep people from using the page, as axe finds them: serious and critical ones, of all its rules or of some. */
export async function inaccessible(page: Page, rules?: string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page })
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze()
  return violations
    .filter((violation) => violation.impact === 'serious' || violation.impact === 'critical')
    .map((violation) => `${violation.id}: ${violation.help} (${violation.nodes.map((node) => node.target.join(' ')).slice(0, 4).join(', ')})`)
}
