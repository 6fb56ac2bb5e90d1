/** The tone of a node's mark in the tree. */
import type { Node } from '~/api/types'

/** Of a node that is not live nobody knows how it is. */
export function nodeTone(node: Node): string {
  if (node.freshness !== 'live') return 'unknown'
  return node.state === 'online' ? 'good' : node.state === 'offline' ? 'bad' : 'unknown'
}
