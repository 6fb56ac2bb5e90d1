/** Remotes and their nodes beside the list: where to look, with how many guests there are. */
import { Button, Skeleton, Stack, Text, TextInput } from '@mantine/core'
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useId, useRef, useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { RemoteRow } from '~/api/types'
import { count, exact, words } from '~/format/format'
import { useLinks, useStreamLive } from '~/live/hooks'
import { usePreference } from '~/preferences/preferences'
import { useCut } from '~/table/sources'
import { toServer } from '~/ui/now'
import { linkTone } from '~/ui/State'
import { nodeTone } from './tones'
import classes from './guests.module.css'
import { isShown, type Line, lines, queryOf } from './tree'

const HEIGHT = 30
/** With so few remotes all are open until somebody closes one. */
const FEW = 8
/** With more than so many there is a field to find one. */
const MANY = 15
const PAGE = 1000
const AGAIN_MS = 15_000

async function allRemotes(signal: AbortSignal): Promise<RemoteRow[]> {
  const found: RemoteRow[] = []
  for (;;) {
    const query = { sort: 'name', limit: PAGE, offset: found.length }
    const page = await unwrap(api.GET('/api/v1/remotes', { params: { query }, signal }))
    found.push(...page.items)
    if (found.length >= page.total || page.items.length === 0) return found
  }
}

/** What is remembered of it: which remotes are open. Absent: the usual ones. */
function openOf(remembered: unknown): number[] | undefined {
  return Array.isArray(remembered) ? remembered.filter((id): id is number => typeof id === 'number') : undefined
}

function Remotes({ q, onPick }: { q: string; onPick: (q: string) => void }) {
  const treeId = useId()
  const scroller = useRef<HTMLDivElement>(null)
  const [find, setFind] = useState('')
  const [active, setActive] = useState<string | undefined>(undefined)
  const [remembered, remember] = usePreference('ui', 'guests_tree_open')
  const remotes = useQuery({
    queryKey: ['tree', 'remotes'],
    queryFn: ({ signal }) => allRemotes(signal),
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
  })
  const told = useLinks()
  // What was told before the stream was cut is older than what is asked for.
  const links = useStreamLive() ? told : undefined
  const cut = useCut()
  const old = remotes.isError ? 'since then the remotes could not be loaded' : cut ? 'the live stream to Muster is cut' : undefined
  const all = remotes.data ?? []
  const open = new Set(openOf(remembered) ?? (all.length <= FEW ? all.map((remote) => remote.id) : []))
  const opened = all.filter((remote) => open.has(remote.id))
  const nodes = useQueries({
    queries: opened.map((remote) => ({
      queryKey: ['tree', 'nodes', remote.id],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const query = { q: `remote:${remote.id}`, sort: 'name', limit: PAGE }
        return (await unwrap(api.GET('/api/v1/nodes', { params: { query }, signal }))).items
      },
      refetchInterval: AGAIN_MS,
    })),
  })
  const below = new Map(opened.map((remote, index) => [remote.id, nodes[index]?.data ?? (nodes[index]?.isError ? ('failed' as const) : undefined)]))
  const shown = lines(all, open, (remote) => below.get(remote), find)

  // eslint-disable-next-line react-hooks/incompatible-library -- what it gives is used in this component only, which no compiler touches
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => scroller.current, estimateSize: () => HEIGHT, overscan: 8 })
  const at = shown.findIndex((line) => line.id === active)
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at)
  }, [virtual, at])

  const items = virtual.getVirtualItems()
  const activeIsThere = items.some(({ index }) => index === at)

  const twist = (remote: number) => {
    const next = new Set(open)
    if (!next.delete(remote)) next.add(remote)
    remember([...next])
  }
  const pick = (line: Line) => {
    if (line.kind !== 'note') onPick(queryOf(line, q))
  }
  const keys = (event: React.KeyboardEvent) => {
    const line = shown[at]
    const move = (to: number) => {
      event.preventDefault()
      setActive(shown[Math.max(0, Math.min(shown.length - 1, to))]?.id)
    }
    if (event.key === 'ArrowDown') move(at + 1)
    else if (event.key === 'ArrowUp') move(at < 0 ? shown.length - 1 : at - 1)
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(shown.length - 1)
    else if (!line) return
    else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      pick(line)
    } else if (event.key === 'ArrowRight' && line.kind === 'remote') {
      event.preventDefault()
      if (line.open) move(at + 1)
      else twist(line.remote.id)
    } else if (event.key === 'ArrowLeft') {
      event.preventDefault()
      if (line.kind === 'remote' && line.open) twist(line.remote.id)
      else if (line.kind === 'node') setActive(`r${line.remote.id}`)
    }
  }

  if (remotes.data === undefined) {
    return (
      <Stack gap={8} className={classes.side}>
        {remotes.isError ? (
          <div role="alert" className={classes.none}>
            <Text size="sm" className="quiet">
              The remotes could not be loaded. They are asked for again by themselves.
            </Text>
            <Button size="compact-xs" variant="default" onClick={() => void remotes.refetch()}>
              Try again
            </Button>
          </div>
        ) : (
          <div role="status" aria-label="Loading the remotes" className={classes.none}>
            {Array.from({ length: 6 }, (_, line) => (
              <Skeleton key={line} height={12} width={`${80 - line * 7} %`} />
            ))}
          </div>
        )}
      </Stack>
    )
  }
  return (
    <Stack gap={8} className={classes.side}>
      {all.length > MANY && (
        <TextInput
          size="xs"
          aria-label="Find a remote"
          placeholder={`Find one of ${count(all.length)} remotes`}
          value={find}
          onChange={(event) => setFind(event.currentTarget.value)}
        />
      )}
      <div
        ref={scroller}
        className={old ? `${classes.tree} stale` : classes.tree}
        title={old && `As of ${exact(toServer(remotes.dataUpdatedAt))}: ${old}`}
        role="tree"
        aria-label="Remotes and nodes"
        aria-busy={remotes.isPending}
        aria-activedescendant={activeIsThere ? `${treeId}-${active}` : undefined}
        tabIndex={0}
        onKeyDown={keys}
      >
        <div className={classes.items} style={{ height: virtual.getTotalSize() }} role="none">
          {items.map(({ index, start }) => {
            const line = shown[index]
            if (!line) return null
            return (
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus -- the keys are those of the tree
              <div
                key={line.id}
                id={`${treeId}-${line.id}`}
                role="treeitem"
                aria-level={line.kind === 'node' || line.kind === 'note' ? 2 : 1}
                aria-posinset={line.at}
                aria-setsize={line.of}
                aria-selected={isShown(line, q)}
                aria-expanded={line.kind === 'remote' ? line.open : undefined}
                data-active={line.id === active ? true : undefined}
                className={classes.item}
                style={{ transform: `translateY(${start}px)`, '--level': line.kind === 'node' || line.kind === 'note' ? 1 : 0 } as React.CSSProperties}
                onClick={(event) => {
                  setActive(line.id)
                  if (line.kind === 'remote' && (event.target as Element).closest('[data-twist]')) twist(line.remote.id)
                  else pick(line)
                }}
              >
                <LineOf line={line} link={line.kind === 'remote' ? (links?.get(line.remote.id)?.link.state ?? line.remote.link.state) : ''} />
              </div>
            )
          })}
        </div>
      </div>
    </Stack>
  )
}

/** Drawn anew only when something in it is another: not with every row of the list beside it. */
export const Tree = memo(Remotes)

function LineOf({ line, link }: { line: Line; link: string }) {
  switch (line.kind) {
    case 'all':
      return (
        <>
          <span className={classes.twist} />
          <span className={classes.label}>All remotes</span>
          <span className={classes.number} title={line.guests.startsWith('≥') ? 'Some remotes were never listed: how many guests they have is not known' : undefined}>
            {line.guests}
          </span>
        </>
      )
    case 'remote':
      return (
        <>
          <span className={classes.twist} data-twist data-open={line.open ? true : undefined} aria-hidden>
            <svg width="10" height="10" viewBox="0 0 10 10" fill="none" stroke="currentColor" strokeWidth="1.6">
              <path d="M3 1.5 6.5 5 3 8.5" />
            </svg>
          </span>
          <span className={classes.dot} data-tone={linkTone(link)} title={words(link)} role="img" aria-label={words(link)} />
          <bdi className={classes.label} title={line.remote.name}>
            {line.remote.name}
          </bdi>
          <span className={classes.number}>{count(line.remote.counts.guests)}</span>
        </>
      )
    case 'node':
      return (
        <>
          <span className={classes.dot} data-tone={nodeTone(line.node)} title={words(line.node.word)} role="img" aria-label={words(line.node.word)} />
          <bdi className={classes.label} title={line.node.name}>
            {line.node.name}
          </bdi>
          <span className={classes.number}>{count(line.node.guests)}</span>
        </>
      )
    case 'note':
      return <span className={`${classes.label} quiet`}>{line.text}</span>
  }
}
