/** The tone of a mark in the tree. */
import type { Node } from '~/api/types'

const LINK: Record<string, string> = {
  connected: 'good',
  degraded: 'warn',
  connecting: 'unknown',
  backing_off: 'bad',
  disconnected: 'off',
  credentials_rejected: 'bad',
  certificate_changed: 'bad',
}

export function linkTone(state: string): string {
  return LINK[state] ?? 'unknown'
}

/** Of a node that is not live nobody knows how it is. */
export function nodeTone(node: Node): string {
  if (node.freshness !== 'live') return 'unknown'
  return node.state === 'online' ? 'good' : node.state === 'offline' ? 'bad' : 'unknown'
}
