/** All charts of one thing: one span, one crosshair, each with its figures in words. */
import { Alert, Group, SegmentedControl, Skeleton, Stack, Table, Text, Title, useComputedColorScheme, VisuallyHidden } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { lazy, Suspense, useContext } from 'react'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { Ago } from '~/ui/Time'
import { fullTime } from './axis'
import classes from './charts.module.css'
import { CursorContext, useCursorIndex, useNewCursor } from './cursor'
import { type Chart, current, figure, type Panel, panels, reach, type Span, SPANS, summary, told } from './panels'
import type { Colors } from './Plot'
import { type ChartOf, useChart } from './query'

const Plot = lazy(() => import('./Plot'))

const COLORS: Record<'light' | 'dark', Colors> = {
  light: { lines: ['#0f766e', '#b45309', '#6d28d9', '#be185d'], limit: '#6b7280', text: '#495057', grid: '#e9ecef' },
  dark: { lines: ['#4eb4a1', '#f0b44c', '#b197fc', '#f783ac'], limit: '#9aa0a6', text: '#b8bcc2', grid: '#373a40' },
}

export interface ChartsProps {
  of: ChartOf
  span: Span
  choose: (span: Span) => void
  /** How many there will be, so that nothing jumps when they come. */
  expected?: number
  /** What it is of is not seen at present, and the page says why: there are no newer figures. */
  stale?: boolean
}

export function Charts({ of, span, choose, expected = 4, stale = false }: ChartsProps) {
  const cursor = useNewCursor()
  const asked = useChart(of, span)
  const chart = asked.data
  return (
    <CursorContext.Provider value={cursor}>
      <section aria-label="Charts">
        <Group justify="space-between" mb="xs" gap="xs">
          <Group gap="xs" align="baseline">
            <Title order={2}>Over time</Title>
            {chart && <At chart={chart} stale={stale} />}
          </Group>
          <SegmentedControl
            size="xs"
            aria-label="How far back"
            data={SPANS.map(({ value, label }) => ({ value, label }))}
            value={span}
            onChange={(value) => choose(value)}
          />
        </Group>
        {chart ? (
          <Stack gap="sm" aria-busy={asked.isPlaceholderData}>
            {asked.isError && <ProblemView error={asked.error} title="The charts could not be read anew" again={() => void asked.refetch()} />}
            <Panels chart={chart} said={stale} stale={stale || asked.isPlaceholderData || chart.error != null || asked.isError} />
          </Stack>
        ) : asked.isError ? (
          <ProblemView error={asked.error} title="The charts could not be read" again={() => void asked.refetch()} />
        ) : (
          <div className={classes.grid} role="status" aria-label="Loading">
            {Array.from({ length: expected }, (_, index) => (
              <Skeleton key={index} height={210} />
            ))}
          </div>
        )}
      </section>
    </CursorContext.Provider>
  )
}

/** The time at the crosshair; without one, how old the figures are where that matters. */
function At({ chart, stale }: { chart: Chart; stale: boolean }) {
  const index = useCursorIndex()
  const time = index === null ? undefined : chart.at[index]
  if (time !== undefined) return <Text size="sm" className="quiet figures">{fullTime(time)}</Text>
  if ((!chart.error && !stale) || !chart.observed_at) return null
  return (
    <Text size="sm" className="quiet">
      as read <Ago at={chart.observed_at} />
    </Text>
  )
}

function Panels({ chart, said, stale }: { chart: Chart; said: boolean; stale: boolean }) {
  const made = panels(chart)
  const why = chart.error
  return (
    <>
      {why && !said && (
        <Alert color="yellow" variant="light" py={8} icon={<IconAlertTriangle size={18} />} role="status">
          <Text size="sm">
            {chart.observed_at ? 'Not newer' : 'The charts could not be read, and never were before'}: {why.sentence}
          </Text>
        </Alert>
      )}
      {made.length > 0 ? (
        <div className={`${classes.grid} ${stale ? 'stale' : ''}`}>
          {made.map((panel) => (
            <PanelView key={panel.id} panel={panel} chart={chart} />
          ))}
        </div>
      ) : (
        (!why || said) && (
          <Empty title={chart.observed_at ? 'Nothing was measured in this time' : 'The figures were never read'}>
            {chart.observed_at ? 'Proxmox VE has no figures of it for this span. It may not have run.' : undefined}
          </Empty>
        )
      )}
    </>
  )
}

function PanelView({ panel, chart }: { panel: Panel; chart: Chart }) {
  const scheme = useComputedColorScheme('light')
  const colors = COLORS[scheme]
  const [from, to] = reach(chart)
  return (
    <figure className={classes.panel}>
      <div className={classes.head}>
        <span className={classes.title}>{panel.title}</span>
        {panel.lines.map((line, index) => (
          <Entry key={line.name} panel={panel} index={index} color={line.limit ? colors.limit : (colors.lines[index % colors.lines.length] ?? colors.text)} />
        ))}
      </div>
      <Keys panel={panel} chart={chart}>
        <Suspense fallback={<Skeleton height={150} />}>
          <Plot panel={panel} at={chart.at} from={from} to={to} span={chart.span} colors={colors} />
        </Suspense>
      </Keys>
      <figcaption>
        <VisuallyHidden>{told(panel)}</VisuallyHidden>
        <Figures panel={panel} />
      </figcaption>
    </figure>
  )
}

/** A line's name with its value at the crosshair, or the one of now. */
function Entry({ panel, index, color }: { panel: Panel; index: number; color: string }) {
  const at = useCursorIndex()
  const line = panel.lines[index]
  if (!line) return null
  const value = at === null ? current(line.values) : line.values[at]
  return (
    <span className={classes.entry}>
      <span className={classes.swatch} style={{ background: color }} aria-hidden />
      <span className="quiet">{line.label}</span>
      <span className={classes.value}>{figure(panel.unit, value)}</span>
    </span>
  )
}

/** Lowest, mean and highest, of the lines that change. */
function Figures({ panel }: { panel: Panel }) {
  return (
    <Table className={`${classes.figures} figures`} verticalSpacing={1} horizontalSpacing={4} withRowBorders={false} aria-hidden>
      <Table.Tbody>
        {panel.lines.map((line) => {
          const found = line.limit ? undefined : summary(line.values)
          if (!found) return null
          return (
            <Table.Tr key={line.name}>
              <Table.Td className="quiet">{line.label}</Table.Td>
              <Table.Td className="quiet">lowest {figure(panel.unit, found.min)}</Table.Td>
              <Table.Td className="quiet">mean {figure(panel.unit, found.mean)}</Table.Td>
              <Table.Td className="quiet">highest {figure(panel.unit, found.max)}</Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Table>
  )
}

/** The arrow keys move the crosshair of all charts. */
function Keys({ panel, chart, children }: { panel: Panel; chart: Chart; children: React.ReactNode }) {
  const cursor = useContext(CursorContext)
  const index = useCursorIndex()
  const last = chart.at.length - 1
  const at = index === null ? undefined : chart.at[index]
  const value =
    index === null || at === undefined
      ? 'no place chosen'
      : `${fullTime(at)}: ${panel.lines.map((line) => `${line.label} ${figure(panel.unit, line.values[index])}`).join(', ')}`
  const move = (event: React.KeyboardEvent) => {
    const now = index ?? last
    const step = event.shiftKey ? Math.max(1, Math.round(last / 10)) : 1
    const to = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: last }[event.key]
    if (event.key === 'Escape') cursor.move(null)
    if (to === undefined) return
    event.preventDefault()
    cursor.move(Math.min(last, Math.max(0, to)))
  }
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={`${panel.title} over time`}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, last)}
      aria-valuenow={index ?? last}
      aria-valuetext={value}
      className={classes.keys}
      onKeyDown={move}
      onBlur={() => cursor.move(null)}
      onPointerLeave={() => cursor.move(null)}
    >
      {children}
    </div>
  )
}
