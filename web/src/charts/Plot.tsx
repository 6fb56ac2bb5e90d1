/** One chart drawn by uPlot. Loaded when the first chart is looked at. */
import 'uplot/dist/uPlot.min.css'
import { useContext, useEffect, useRef } from 'react'
import uPlot from 'uplot'
import classes from './charts.module.css'
import { CursorContext } from './cursor'
import { axisFigure, axisTime } from './axis'
import { type Panel, type Span, top } from './panels'

export interface Colors {
  lines: readonly string[]
  limit: string
  text: string
  grid: string
}

export interface PlotProps {
  panel: Panel
  at: readonly number[]
  from: number
  to: number
  span: Span
  colors: Colors
}

const HEIGHT = 150
/** Bytes are counted in powers of two: so are their lines. */
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power)

export default function Plot({ panel, at, from, to, span, colors }: PlotProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const range = useRef<[number, number]>([from, to])
  const cursor = useContext(CursorContext)
  const shape = JSON.stringify([panel.id, panel.lines.map((line) => line.name), span, colors])
  const data = [at, ...panel.lines.map((line) => line.values)] as unknown as uPlot.AlignedData
  const latest = useRef(data)

  useEffect(() => {
    range.current = [from, to]
    latest.current = data
    plot.current?.setData(data)
  })

  useEffect(() => {
    const element = place.current
    if (!element) return
    const made = new uPlot(
      options(panel, span, colors, element.clientWidth, () => range.current, (index) => cursor.move(index)),
      latest.current,
      element,
    )
    plot.current = made
    // The crosshair goes where that of another chart is.
    const follow = cursor.subscribe(() => {
      const index = cursor.index
      const time = index === null ? undefined : latest.current[0][index]
      const left = time === undefined ? -10 : made.valToPos(time, 'x')
      if (Math.abs((made.cursor.left ?? -10) - left) > 0.5) made.setCursor({ left, top: left < 0 ? -10 : (made.cursor.top ?? 0) }, false)
    })
    const size = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }))
    size.observe(element)
    return () => {
      follow()
      size.disconnect()
      plot.current = undefined
      made.destroy()
    }
    // The shape says all that is not data.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, cursor])

  return <div ref={place} className={classes.plot} style={{ height: HEIGHT }} aria-hidden />
}

function options(
  panel: Panel,
  span: Span,
  colors: Colors,
  width: number,
  range: () => [number, number],
  moved: (index: number | null) => void,
): uPlot.Options {
  const axis = { stroke: colors.text, grid: { stroke: colors.grid, width: 1 }, ticks: { stroke: colors.grid, width: 1, size: 4 }, font: '11px system-ui, sans-serif' }
  const inBytes = panel.unit === 'bytes' || panel.unit === 'rate'
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { setScale: false, x: false, y: false }, y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => range() },
      y: { range: (_plot, _min, max) => [0, top(panel.unit, max)] },
    },
    axes: [
      { ...axis, space: 60, size: 28, values: (_plot, splits) => splits.map((at) => axisTime(span, at)) },
      {
        ...axis,
        space: 28,
        size: 62,
        ...(inBytes ? { incrs: BYTE_STEPS } : {}),
        values: (_plot, splits) => splits.map((value) => axisFigure(panel.unit, value)),
      },
    ],
    series: [
      {},
      ...panel.lines.map((line, index): uPlot.Series => {
        const stroke = line.limit ? colors.limit : (colors.lines[index % colors.lines.length] ?? colors.text)
        return {
          stroke,
          width: line.limit ? 1 : 1.6,
          spanGaps: false,
          points: { show: lonely },
          ...(line.limit ? { dash: [4, 4] } : index === 0 ? { fill: `${stroke}22` } : {}),
        }
      }),
    ],
    hooks: {
      setCursor: [
        (made) => {
          // Only the chart under the pointer says where it is.
          if (made.root.matches(':hover')) moved(made.cursor.left == null || made.cursor.left < 0 ? null : (made.cursor.idx ?? null))
        },
      ],
    },
  }
}

/** A measurement between two gaps is a point: no line would show it. */
function lonely(plot: uPlot, series: number, first: number, last: number): boolean {
  const values = plot.data[series]
  if (!values) return false
  for (let index = first; index <= last; index += 1) {
    if (values[index] != null && values[index - 1] == null && values[index + 1] == null) return true
  }
  return false
}
