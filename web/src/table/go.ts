/** Links in rows: plain ones, for a thousand of the router's own would each listen to it. What is pressed goes by [follow]. */
import { prefix } from '~/api/client'

/** The address, as the browser sees it, of a path of the console. */
export function linkTo(path: string): string {
  return `${prefix}${path}`
}

/** Whether a press is an ordinary one: not one that opens another tab or window. */
export function plain(event: { button: number; metaKey: boolean; ctrlKey: boolean; shiftKey: boolean; altKey: boolean }): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
}

/** The path of the link that was pressed, if it was one of ours. */
export function pathOf(target: Element): string | undefined {
  return target.closest('a[data-main], a[data-own]')?.getAttribute('href')?.slice(prefix.length)
}
