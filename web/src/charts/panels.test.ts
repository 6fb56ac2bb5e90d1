import { describe, expect, it } from 'vitest'
import { axisFigure } from './axis'
import { type Chart, current, figure, panels, reach, spanOf, summary, told, top } from './panels'

function chart(series: Chart['series'], over: Partial<Chart> = {}): Chart {
  return { id: '7/101', remote_id: 7, remote: 'home', span: 'hour', at: [10, 20, 30], drift: [], series, ...over }
}

describe('panels', () => {
  it('are there for what was measured, in a fixed order', () => {
    const made = panels(chart({ net_in: [1, 2, 3], cpu: [0.1, null, 0.3], memory_total: [8, 8, 8], memory_used: [1, 2, 3] }))
    expect(made.map((panel) => panel.id)).toEqual(['cpu', 'memory', 'net'])
    expect(made[1]?.lines.map((line) => line.name)).toEqual(['memory_used', 'memory_total'])
  })

  it('are not there for what was not: absent, only gaps, or a limit alone', () => {
    expect(panels(chart({ cpu: [null, null, null], memory_total: [8, 8, 8], net_in: null }))).toEqual([])
  })

  it('know nothing of a value that is not there, and never nought', () => {
    expect(figure('share', null)).toBe('–')
    expect(figure('bytes', undefined)).toBe('–')
    expect(figure('rate', 0)).toBe('0 B/s')
  })
})

describe('a summary', () => {
  it('leaves gaps out of the mean, and counts them', () => {
    expect(summary([null, 1, null, null, 3, null])).toEqual({ min: 1, mean: 2, max: 3, last: 3, gaps: 2 })
  })

  it('is not there when nothing was measured', () => {
    expect(summary([null, null])).toBeUndefined()
    expect(summary([])).toBeUndefined()
  })

  it('says nothing of now when the newest is old', () => {
    expect(current([1, 2, null, null])).toBe(2)
    expect(current([1, 2, null, null, null])).toBeNull()
    expect(current([0])).toBe(0)
  })

  it('says in words what is drawn', () => {
    const [panel] = panels(chart({ cpu: [0.1, null, 0.3] }))
    expect(panel && told(panel)).toBe('CPU. used: lowest 10 %, mean 20 %, highest 30 %, last 30 %, 1 gap.')
  })
})

describe('axes', () => {
  it('reach over the whole span, be it measured or not', () => {
    const made = chart({}, { span: 'day', at: [1_000_000], observed_at: new Date(1_000_060_000).toISOString() })
    expect(reach(made)).toEqual([1_000_060 - 86_400, 1_000_060])
  })

  it('never show a share above all of it, unless there was one', () => {
    expect(top('share', 0.95)).toBe(1)
    expect(top('share', 1.5)).toBeGreaterThan(1.5)
    expect(top('bytes', null)).toBe(1024)
  })

  it('have short figures', () => {
    expect(axisFigure('rate', 2048)).toBe('2 KiB/s')
    expect(axisFigure('share', 0.05)).toBe('5 %')
    expect(axisFigure('bytes', 0)).toBe('0')
  })
})

it('takes the hour for a span that there is not', () => {
  expect(spanOf('decade')).toBe('hour')
  expect(spanOf('week')).toBe('week')
})
