import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Refusal } from '~/api/client'
import { Undecided, wishes } from '~/api/once'
import type { Operation } from '~/api/types'
import { ask, askAs, forgetLost, unknownOf } from './ask'
import type { Seeker, Sent } from './seek'
import type { StartedItem, Wish } from './server'

const server = vi.hoisted(() => ({ one: vi.fn(), all: vi.fn() }))
const seeking = vi.hoisted(() => ({ seek: vi.fn() }))
vi.mock('./server', () => ({ startOne: server.one, startAll: server.all }))
vi.mock('./seek', () => ({ seek: seeking.seek }))
const said = vi.hoisted(() => vi.fn())
vi.mock('~/ui/notDone', () => ({ sayNotDone: said }))

const NO_ANSWER = new Refusal({ type: 'urn:muster:console:no_answer', title: '', status: 0 })
const web = { remote: '1', vmid: 101, name: 'web', node: 'pve1' }
const db = { remote: '1', vmid: 99, name: 'db' }
const reboot: Wish = { action: 'reboot', targets: [web] }
const done = { id: '9' } as Operation
const stopped = vi.fn()
let found: StartedItem[] | undefined

const keys = (calls: unknown[][]) => calls.map((call) => call.at(-1) as string)
const asked = (wish: Wish) =>
  ask(wish, (started) => {
    found = started
  }).catch((error: unknown) => error)

/** What the last search was for, and how it is told its end. */
function search(): [Sent, Seeker] {
  return seeking.seek.mock.lastCall as [Sent, Seeker]
}

beforeEach(() => {
  vi.clearAllMocks()
  seeking.seek.mockReturnValue(stopped)
  found = undefined
  askAs('anna')
})

afterEach(() => {
  forgetLost()
  wishes.clear()
})

test('asked for again from anywhere, what had no answer is the same wish', async () => {
  server.one.mockRejectedValue(NO_ANSWER)
  expect(await asked(reboot)).toBeInstanceOf(Undecided)
  // Another list knows less of the guest, and says its options otherwise.
  await asked({ action: 'reboot', targets: [{ remote: '1', vmid: 101 }], options: {} })
  const [first, second] = keys(server.one.mock.calls)
  expect(second).toBe(first)
  expect(seeking.seek).toHaveBeenCalledTimes(1)
})

test('many guests are the same wish, in whichever order they were picked', async () => {
  server.all.mockRejectedValue(NO_ANSWER)
  await asked({ action: 'reboot', targets: [web, db] })
  await asked({ action: 'reboot', targets: [db, web] })
  const [first, second] = keys(server.all.mock.calls)
  expect(second).toBe(first)
  expect(server.all.mock.calls[0]?.[0]).toEqual(server.all.mock.calls[1]?.[0])
})

test('with other options, or for fewer guests, it is another wish, and the first is told of', async () => {
  server.all.mockRejectedValue(NO_ANSWER)
  await asked({ action: 'shutdown', targets: [web, db] })
  await asked({ action: 'shutdown', targets: [web, db], options: { force_stop: true } })
  const [first, second] = keys(server.all.mock.calls)
  expect(second).not.toBe(first)
  expect(unknownOf(reboot)).toContain('2 guests were asked to shut down')
})

test('an answer ends the search, and the next wish is a new one', async () => {
  server.one.mockRejectedValueOnce(NO_ANSWER).mockResolvedValue(done)
  await asked(reboot)
  expect(await asked(reboot)).toEqual([{ target: web, id: '9', operation: done, problem: null }])
  expect(stopped).toHaveBeenCalled()
  await asked(reboot)
  const [first, second, third] = keys(server.one.mock.calls)
  expect([second === first, third === first]).toEqual([true, false])
})

test('what is found among the operations is told, and asked for again it is a new wish', async () => {
  server.one.mockRejectedValue(NO_ANSWER)
  await asked(reboot)
  const [sent, { found: tell }] = search()
  expect(sent).toMatchObject({ user: 'anna', wish: { action: 'reboot', targets: [{ remote: '1', vmid: 101 }] } })
  tell([done])
  expect(found).toEqual([{ target: web, id: '9', operation: done, problem: null }])
  await asked(reboot)
  const [first, second] = keys(server.one.mock.calls)
  expect(second).not.toBe(first)
})

test('of many that arrived, those without an operation were not taken on', async () => {
  server.all.mockRejectedValue(NO_ANSWER)
  await asked({ action: 'reboot', targets: [web, db] })
  search()[1].found([undefined, done])
  expect(found?.map((item) => [item.target.name, item.operation?.id, item.problem?.title])).toEqual([
    ['db', undefined, 'Not taken on'],
    ['web', '9', undefined],
  ])
})

test('what never arrived is a new wish', async () => {
  server.one.mockRejectedValue(NO_ANSWER)
  await asked(reboot)
  search()[1].never()
  expect(found).toBeUndefined()
  await asked(reboot)
  const [first, second] = keys(server.one.mock.calls)
  expect(second).not.toBe(first)
})

test('a refusal is thrown as it is, and nothing is looked for', async () => {
  const no = new Refusal({ type: 'urn:muster:disabled', title: '', status: 409 })
  server.one.mockRejectedValue(no)
  expect(await asked(reboot)).toBe(no)
  expect(seeking.seek).not.toHaveBeenCalled()
})

test('what was on its way when the session ended is told to nobody, and by no name', async () => {
  const answers: { resolve: (operation: Operation) => void; reject: (error: unknown) => void }[] = []
  server.one.mockImplementation(() => new Promise((resolve, reject) => answers.push({ resolve, reject })))
  const told = vi.fn()
  void asked(reboot).then(told)
  void asked({ action: 'start', targets: [db] }).then(told)
  void asked({ action: 'stop', targets: [db] }).then(told)
  forgetLost()
  answers[0]?.resolve(done)
  answers[1]?.reject(NO_ANSWER)
  answers[2]?.reject(new Refusal({ type: 'urn:muster:session_ended', title: 'Ended', status: 401 }))
  await new Promise((resume) => setTimeout(resume, 5))
  expect([told.mock.calls.length, seeking.seek.mock.calls.length]).toEqual([0, 0])
  expect(said.mock.calls.map(([, title]) => title as string)).toEqual(['What was asked for last was not done'])
})
