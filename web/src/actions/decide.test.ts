import { describe, expect, it } from 'vitest'
import type { Operation } from '~/api/types'
import { availabilityOf, doubt, outcome, press, repeatable, tally, untold } from './decide'
import { POWER, power } from './table'

/** An operation as the API tells it; `over` changes what a test is about. */
function operation(over: Record<string, unknown>): Operation {
  return {
    id: '9',
    name: 'web',
    remote: 'home',
    remote_id: 1,
    guest: '1/101',
    vmid: 101,
    kind: 'ct',
    node: 'pve1',
    action: 'shutdown',
    options: {},
    author: { name: 'anna', from: '192.0.2.1' },
    requested: '2026-01-01T00:00:00Z',
    since: '2026-01-01T00:00:00Z',
    state: 'running',
    sentence: 'its task is running',
    final: false,
    success: false,
    followed: true,
    cancel_asked: false,
    log: [],
    last_lines: [],
    ...over,
  } as unknown as Operation
}

describe('the button of an action', () => {
  it('may be pressed when it is available', () => {
    expect(press({ availability: 'available' }, true)).toEqual({ can: true, doubtful: false, hint: undefined })
  })

  it('is marked, and may be pressed, when it may fail', () => {
    expect(press({ availability: 'may_fail', why: 'may fail: last seen 3 min ago: timed out' }, true)).toEqual({
      can: true,
      doubtful: true,
      hint: 'May fail: last seen 3 min ago: timed out',
    })
  })

  it('says why it may not be pressed, and what would mend it', () => {
    const made = press({ availability: 'disabled', reason: 'it is not running', remedy: 'Start it.' }, true)
    expect(made.can).toBe(false)
    expect(made.hint).toBe('Not now: it is not running. Start it.')
  })

  it('names the role that is missing, whatever the guest would allow', () => {
    const made = press({ availability: 'available' }, false)
    expect(made.can).toBe(false)
    expect(made.hint).toContain('role operator')
  })

  it('waits until it was told', () => {
    expect(press(undefined, true).can).toBe(false)
    expect(press(availabilityOf(undefined, 'start'), true).can).toBe(false)
  })
})

describe('doubts', () => {
  it.each([
    ['may fail: never seen: refused', 'never seen: refused'],
    ['state unknown, may fail', 'state unknown'],
    ['node pve2 is down: state unknown, may fail', 'node pve2 is down: state unknown'],
    ['the cluster has no quorum: changes will be refused', 'the cluster has no quorum: changes will be refused'],
  ])('%s', (why, said) => expect(doubt(why)).toBe(said))
})

describe('the table', () => {
  it('asks before whatever ends what runs, and says what is lost', () => {
    const asked = POWER.filter((one) => one.confirm).map((one) => one.action)
    expect(asked).toEqual(['shutdown', 'reboot', 'stop', 'reset'])
    for (const one of POWER.filter((one) => one.confirm)) expect(one.lost).toBeDefined()
    expect(power('stop').lost?.[0]).toContain('lost')
  })
})

describe('what is said of an operation', () => {
  it.each(['pending', 'sent', 'running', 'handed_to_ha'])('never claims success while it is %s', (state) => {
    const told = outcome(operation({ state }))
    expect(told.tone).toBe('busy')
    expect(told.title).toBe('Asked: shut down web')
    expect(told.settled).toBe(false)
  })

  it('says that it was done, after its end', () => {
    const told = outcome(operation({ state: 'succeeded', final: true, success: true }))
    expect(told).toMatchObject({ tone: 'good', title: 'web was shut down', settled: true, more: undefined })
  })

  it('keeps warnings apart from success', () => {
    const told = outcome(
      operation({ state: 'succeeded_with_warnings', detail: { count: 2 }, final: true, success: true, task: 'UPID:x', last_lines: ['a', 'WARN: b'] }),
    )
    expect(told).toMatchObject({ tone: 'warn', title: 'web was shut down, with 2 warnings', text: 'WARN: b', more: 'task', settled: false })
  })

  it('does not invent a number of warnings', () => {
    const told = outcome(operation({ state: 'succeeded_with_warnings', detail: { count: null }, final: true, success: true }))
    expect(told.title).toBe('web was shut down, with warnings')
  })

  it('tells the cause of a failure and leads to the task’s log', () => {
    const told = outcome(
      operation({ state: 'failed', detail: { why: 'task', exit: 'no space left' }, sentence: 'the task failed: no space left', final: true, task: 'UPID:x' }),
    )
    expect(told).toMatchObject({ tone: 'bad', title: 'web was not shut down', text: 'The task failed: no space left', more: 'task' })
  })

  it('tells that nothing was sent, with cause and remedy', () => {
    const cause = { code: 'connect_timeout', sentence: 'connecting timed out (192.0.2.7:8006)', remedy: 'Look at the cable.' }
    const told = outcome(operation({ state: 'not_sent', final: true, cause, sentence: 'not sent' }))
    expect(told).toMatchObject({ title: 'Not sent: shut down web', text: cause.sentence, remedy: cause.remedy, more: 'operation' })
  })

  it('leads to the operation when the outcome is unknown, and warns of asking again', () => {
    const told = outcome(operation({ state: 'outcome_unknown', sentence: 'sent, and no answer came' }))
    expect(told).toMatchObject({ tone: 'unknown', title: 'Unknown whether web was shut down', more: 'operation' })
    expect(told.remedy).toContain('Do not ask again')
  })

  it('calls a guest without a name by its number', () => {
    expect(outcome(operation({ state: 'succeeded', name: null })).title).toBe('101 was shut down')
  })
})

describe('several operations', () => {
  it('are told in one sentence', () => {
    const done = operation({ state: 'succeeded', final: true, success: true })
    const failed = operation({ state: 'failed', final: true })
    expect(tally([done, done, failed, operation({})], 1)).toBe('4 of 5 ended: 2 done, 1 failed, 1 refused')
    expect(tally([operation({}), operation({})], 0)).toBe('0 of 2 ended')
  })

  it('are asked for again only when it is known that nothing was done', () => {
    expect(repeatable(operation({ state: 'not_sent', final: true }))).toBe(true)
    expect(repeatable(operation({ state: 'failed', final: true }))).toBe(true)
    expect(repeatable(operation({ state: 'outcome_unknown', final: true }))).toBe(false)
    expect(repeatable(operation({ state: 'succeeded', final: true, success: true }))).toBe(false)
  })
})

describe('what a newer server says', () => {
  const action = 'migrate' as Operation['action']

  it('is told by its name where it is an action', () => {
    expect(power(action)).toMatchObject({ label: 'Migrate', verb: 'migrate', confirm: true })
    expect(outcome(operation({ action, state: 'running' }))).toMatchObject({ tone: 'busy', title: 'Migrate web: running', settled: false })
    expect(outcome(operation({ action, state: 'succeeded', final: true, success: true }))).toMatchObject({ tone: 'good', settled: true })
  })

  it('is told in the server’s words where it is a state', () => {
    const made = outcome(operation({ state: 'taken_back', sentence: 'it was taken back', final: true }))
    expect(made).toMatchObject({ tone: 'unknown', title: 'Shut down web: taken back', text: 'It was taken back', settled: false })
  })

  it('keeps a button from being pressed where it is an availability', () => {
    expect(press({ availability: 'later' } as unknown as Parameters<typeof press>[0], true)).toMatchObject({ can: false })
  })
})

it('never says done of an operation that is told no more', () => {
  expect(untold(operation({}), 'No such operation.')).toMatchObject({ tone: 'unknown', title: 'Unknown how it ended: shut down web', settled: false })
})
