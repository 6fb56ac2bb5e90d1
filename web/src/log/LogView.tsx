/** A task's log as it is written: follow, pause, search, copy, download. */
import { ActionIcon, Button, Group, Paper, Skeleton, Stack, Text, TextInput, Tooltip } from '@mantine/core'
import { IconChevronDown, IconChevronUp, IconDownload, IconPlayerPause, IconPlayerPlay, IconSearch } from '@tabler/icons-react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState } from 'react'
import { many } from '~/format/format'
import { Copy } from '~/ui/Id'
import { ProblemView } from '~/ui/Problem'
import { save } from '~/ui/save'
import classes from './log.module.css'
import { type Log, mayGrow, useLog } from './useLog'

/** Pixels of one line. */
const LINE = 19

export interface LogViewProps {
  remote: string
  upid: string
  /** What a file of it is called. */
  file: string
  /** Its remote is not reached, which the page has said: no more of it can be read for now. */
  unreached?: boolean
}

export function LogView({ remote, upid, file, unreached = false }: LogViewProps) {
  const [paused, setPaused] = useState(false)
  const [follow, setFollow] = useState(true)
  const [search, setSearch] = useState('')
  const [hit, setHit] = useState(0)
  const log = useLog(remote, upid, paused)
  const box = useRef<HTMLDivElement>(null)
  const top = useRef(0)
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing of it is handed to memoised children
  const rows = useVirtualizer({ count: log.lines.length, getScrollElement: () => box.current, estimateSize: () => LINE, overscan: 30 })
  const hits = useMemo(() => {
    const wanted = search.trim().toLowerCase()
    if (wanted === '') return []
    return log.lines.flatMap((line, index) => (line.toLowerCase().includes(wanted) ? [index] : []))
  }, [log.lines, search])
  const at = hits.length === 0 ? undefined : hits[Math.min(hit, hits.length - 1)]

  const count = log.lines.length
  useEffect(() => {
    if (follow && count > 0 && search.trim() === '') rows.scrollToIndex(count - 1, { align: 'end' })
  }, [rows, follow, count, search])
  useEffect(() => {
    if (at !== undefined) rows.scrollToIndex(at, { align: 'center' })
  }, [rows, at])

  const step = (by: number) => hits.length > 0 && setHit((Math.min(hit, hits.length - 1) + by + hits.length) % hits.length)
  const text = log.lines.join('\n')
  const ended = !mayGrow(log)
  return (
    <Stack gap="xs">
      <Group gap="xs" justify="space-between">
        <Group gap="xs">
          <TextInput
            size="xs"
            aria-label="Search in the log"
            placeholder="Search in the log"
            data-search
            leftSection={<IconSearch size={14} />}
            value={search}
            onChange={(event) => {
              setSearch(event.currentTarget.value)
              setHit(0)
            }}
            onKeyDown={(event) => event.key === 'Enter' && step(event.shiftKey ? -1 : 1)}
          />
          {search.trim() !== '' && (
            <Group gap={2} role="status">
              <Text size="xs" className="quiet figures">
                {hits.length === 0 ? 'not found' : `${Math.min(hit, hits.length - 1) + 1} of ${hits.length}`}
              </Text>
              <ActionIcon size="sm" variant="subtle" color="gray" aria-label="Previous place" disabled={hits.length === 0} onClick={() => step(-1)}>
                <IconChevronUp size={14} />
              </ActionIcon>
              <ActionIcon size="sm" variant="subtle" color="gray" aria-label="Next place" disabled={hits.length === 0} onClick={() => step(1)}>
                <IconChevronDown size={14} />
              </ActionIcon>
            </Group>
          )}
        </Group>
        <Group gap="xs">
          <Text size="xs" className="quiet figures" role="status">
            {many(count, 'line')}
            {standing(log, paused, unreached)}
          </Text>
          {!ended && (
            <Button
              size="compact-xs"
              variant="default"
              leftSection={paused ? <IconPlayerPlay size={12} /> : <IconPlayerPause size={12} />}
              onClick={() => setPaused(!paused)}
            >
              {paused ? 'Go on' : 'Pause'}
            </Button>
          )}
          <Button size="compact-xs" variant={follow ? 'light' : 'default'} aria-pressed={follow} onClick={() => setFollow(!follow)}>
            Follow
          </Button>
          <Copy text={text} what="the log" />
          <Tooltip label="Download as a file">
            <ActionIcon size="sm" variant="subtle" color="gray" aria-label="Download the log" onClick={() => save(file, text)}>
              <IconDownload size={14} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
      {log.error !== undefined && !unreached && <ProblemView error={log.error} title="The log could not be read further" />}
      <Paper withBorder>
        <div
          ref={box}
          className={classes.box}
          role="log"
          aria-label="Log"
          aria-live="off"
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls, and keys have to reach that
          tabIndex={0}
          onScroll={(event) => {
            const { scrollTop } = event.currentTarget
            // Who goes back reads; who follows is taken along.
            if (scrollTop < top.current) setFollow(false)
            top.current = scrollTop
          }}
        >
          {!log.begun && !unreached && log.error === undefined && <Skeleton height={LINE} m="sm" role="status" aria-label="The log is being read" />}
          {!log.begun && unreached && <Text p="sm" size="sm" className="quiet">It was not read before its remote was out of reach.</Text>}
          {log.begun && count === 0 && <Text p="sm" size="sm" className="quiet">The task has written nothing{ended ? '' : ' yet'}.</Text>}
          <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map((row) => (
              <div
                key={row.key}
                className={classes.line}
                data-hit={row.index === at || undefined}
                style={{ transform: `translateY(${row.start}px)`, height: LINE }}
              >
                <span className={classes.number} aria-hidden>
                  {row.index + 1}
                </span>
                <span dir="auto">{log.lines[row.index]}</span>
              </div>
            ))}
          </div>
        </div>
      </Paper>
    </Stack>
  )
}

/** How the log stands, to be said behind the number of its lines. */
function standing(log: Log, paused: boolean, unreached: boolean): string {
  if (!mayGrow(log)) return ''
  if (paused) return ', paused'
  if (unreached || log.error !== undefined) return ', not read further'
  return log.begun ? ', being written' : ''
}
