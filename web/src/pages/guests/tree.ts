/** The tree of remotes and nodes as the lines that are open. Pure. */
import type { Node, RemoteRow } from '~/api/types'
import { count, DASH } from '~/format/format'
import { quoted, valuesOf, withValues } from '~/query/terms'

export type Line =
  | ({ kind: 'all'; id: string; guests: string } & Place)
  | ({ kind: 'remote'; id: string; remote: RemoteRow; open: boolean } & Place)
  | ({ kind: 'node'; id: string; remote: RemoteRow; node: Node } & Place)
  | ({ kind: 'note'; id: string; text: string } & Place)

/** Where a line stands among those beside it: counted from 1, of so many. */
interface Place {
  at: number
  of: number
}

/** How many guests there are on all of them: at least so many where some remote was never listed. */
export function sumOf(remotes: readonly RemoteRow[]): string {
  const known = remotes.flatMap((remote) => remote.counts.guests ?? [])
  if (remotes.length > 0 && known.length === 0) return DASH
  const sum = count(known.reduce((all, one) => all + one, 0))
  return known.length < remotes.length ? `≥ ${sum}` : sum
}

/** `nodes`: of a remote that is open; `undefined`: not told yet. `find`: only remotes with this in their names. */
export function lines(
  remotes: readonly RemoteRow[],
  open: ReadonlySet<number>,
  nodes: (remote: number) => readonly Node[] | 'failed' | undefined,
  find: string,
): Line[] {
  const wanted = find.trim().toLowerCase()
  const found = wanted === '' ? remotes : remotes.filter((remote) => remote.name.toLowerCase().includes(wanted))
  const first = wanted === '' ? 1 : 0
  const of = found.length + first
  const made: Line[] = first === 1 ? [{ kind: 'all', id: 'all', guests: sumOf(remotes), at: 1, of }] : []
  found.forEach((remote, index) => {
    const isOpen = open.has(remote.id)
    made.push({ kind: 'remote', id: `r${remote.id}`, remote, open: isOpen, at: index + 1 + first, of })
    if (!isOpen) return
    const below = nodes(remote.id)
    const note = below === undefined ? '…' : below === 'failed' ? 'could not be loaded' : below.length === 0 ? 'no nodes known' : undefined
    if (note !== undefined) made.push({ kind: 'note', id: `n${remote.id}`, text: note, at: 1, of: 1 })
    else if (Array.isArray(below)) {
      below.forEach((node: Node, at) => made.push({ kind: 'node', id: node.id, remote, node, at: at + 1, of: below.length }))
    }
  })
  return made
}

/** The query that shows what a line stands for. */
export function queryOf(line: Line, q: string): string {
  const bare = withValues(withValues(q, 'node', []), 'remote', [])
  if (line.kind === 'remote') return withValues(bare, 'remote', [line.remote.name])
  if (line.kind === 'node') return withValues(withValues(bare, 'remote', [line.remote.name]), 'node', [line.node.name])
  return bare
}

/** Whether a query shows just what a line stands for. */
export function isShown(line: Line, q: string): boolean {
  const remotes = valuesOf(q, 'remote')
  const nodes = valuesOf(q, 'node')
  const same = (a: string, b: string) => quoted(a).toLowerCase() === quoted(b).toLowerCase()
  const on = (remote: RemoteRow) => {
    const only = remotes.length === 1 ? remotes[0] : undefined
    return only !== undefined && (same(only, remote.name) || only === String(remote.id))
  }
  switch (line.kind) {
    case 'all':
      return remotes.length === 0 && nodes.length === 0
    case 'remote':
      return on(line.remote) && nodes.length === 0
    case 'node':
      return on(line.remote) && nodes.length === 1 && same(nodes[0] ?? '', line.node.name)
    case 'note':
      return false
  }
}
