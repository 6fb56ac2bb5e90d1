/** The tree of remotes and nodes as the lines that are open. Pure. */
import type { Node, RemoteRow } from '~/api/types'
import { quoted, valuesOf, withValues } from '~/query/terms'

export type Line =
  | { kind: 'all'; id: string; guests: number | undefined }
  | { kind: 'remote'; id: string; remote: RemoteRow; open: boolean }
  | { kind: 'node'; id: string; remote: RemoteRow; node: Node }
  | { kind: 'note'; id: string; text: string }

/** `nodes`: of a remote that is open; `undefined`: not told yet. `find`: only remotes with this in their names. */
export function lines(
  remotes: readonly RemoteRow[],
  open: ReadonlySet<number>,
  nodes: (remote: number) => readonly Node[] | 'failed' | undefined,
  find: string,
): Line[] {
  const wanted = find.trim().toLowerCase()
  const sum = remotes.reduce((all, remote) => all + (remote.counts.guests ?? 0), 0)
  const made: Line[] = wanted === '' ? [{ kind: 'all', id: 'all', guests: sum }] : []
  for (const remote of remotes) {
    if (wanted !== '' && !remote.name.toLowerCase().includes(wanted)) continue
    const isOpen = open.has(remote.id)
    made.push({ kind: 'remote', id: `r${remote.id}`, remote, open: isOpen })
    if (!isOpen) continue
    const below = nodes(remote.id)
    if (below === undefined) made.push({ kind: 'note', id: `n${remote.id}`, text: '…' })
    else if (below === 'failed') made.push({ kind: 'note', id: `n${remote.id}`, text: 'could not be loaded' })
    else if (below.length === 0) made.push({ kind: 'note', id: `n${remote.id}`, text: 'no nodes known' })
    else for (const node of below) made.push({ kind: 'node', id: node.id, remote, node })
  }
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
