import { describe, expect, it, test } from 'vitest'
import { Refusal, unanswered } from './client'
import { type About, Undecided, Wishes } from './once'

const refusal = (code: string, status: number) => new Refusal({ type: `urn:muster:${code}`, title: code, status })
const NO_ANSWER = refusal('console:no_answer', 0)
const WEB: About = { deed: 'power', things: ['web'], said: 'web was asked to reboot' }

/** Sends a wish that ends so; which key it went with, and what was thrown. */
async function sent(wishes: Wishes, wish: unknown, end?: Refusal, about = WEB): Promise<{ key: string; error: unknown }> {
  let key = ''
  const error = await wishes
    .send(wish, about, (given) => {
      key = given
      return end === undefined ? Promise.resolve('done') : Promise.reject(end)
    })
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  return { key, error }
}

describe('the key of a wish', () => {
  test.each([
    ['no answer came', NO_ANSWER],
    ['a proxy answered for the server', refusal('console:odd_answer', 504)],
    ['it is still being done', refusal('in_progress', 409)],
  ])('is the same while nobody knows whether it arrived: %s', async (_, error) => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'reboot', error)
    const again = await sent(wishes, 'reboot', error)
    expect(again.key).toBe(key)
    expect((await sent(wishes, 'reboot')).key).toBe(key)
  })

  test.each([
    ['it was done', undefined],
    ['it was refused', refusal('disabled', 409)],
    ['the store did not take it', refusal('store', 503)],
    ['the server cannot know any more', refusal('outcome_unknown', 409)],
  ])('is another one after an answer: %s', async (_, error) => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'reboot', error)
    expect((await sent(wishes, 'reboot')).key).not.toBe(key)
  })

  it('is another one for another wish, and for the same about something else', async () => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'reboot', NO_ANSWER)
    expect((await sent(wishes, 'stop', NO_ANSWER)).key).not.toBe(key)
    expect((await sent(wishes, 'reboot', NO_ANSWER, { ...WEB, things: ['db'] })).key).not.toBe(key)
    expect((await sent(wishes, 'reboot', NO_ANSWER, { ...WEB, deed: 'rename' })).key).not.toBe(key)
  })

  it('outlives another wish that had no answer or was refused, not one that was done', async () => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'start', NO_ANSWER)
    await sent(wishes, 'stop', NO_ANSWER)
    await sent(wishes, 'stop', refusal('disabled', 409))
    await sent(wishes, 'stop', undefined, { ...WEB, things: ['db'] })
    expect((await sent(wishes, 'start', NO_ANSWER)).key).toBe(key)
    // It was stopped since: the answer to the first start would be told again, and nothing started.
    await sent(wishes, 'stop', undefined, { ...WEB, things: ['db', 'web'] })
    expect((await sent(wishes, 'start')).key).not.toBe(key)
  })

  it('is that of the wish under way for who presses twice', async () => {
    const wishes = new Wishes()
    const keys: string[] = []
    const slow = () => wishes.send('reboot', WEB, (key) => new Promise((done) => setTimeout(() => done(keys.push(key)), 1)))
    await Promise.all([slow(), slow()])
    expect(keys[1]).toBe(keys[0])
  })

  it('is another one once it was learned otherwise what became of the wish', async () => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'reboot', NO_ANSWER)
    wishes.settle('reboot', WEB)
    expect((await sent(wishes, 'reboot')).key).not.toBe(key)
  })

  it('is forgotten with the session', async () => {
    const wishes = new Wishes()
    const { key } = await sent(wishes, 'reboot', NO_ANSWER)
    wishes.clear()
    expect((await sent(wishes, 'reboot')).key).not.toBe(key)
  })
})

describe('what is said', () => {
  it('is that nobody knows, where no answer came', async () => {
    const { error } = await sent(new Wishes(), 'reboot', NO_ANSWER)
    expect(error).toBeInstanceOf(Undecided)
    expect(error).toMatchObject({ problem: { title: 'Unknown whether web was asked to reboot: no answer came' }, status: 0 })
    expect((error as Undecided).problem.remedy).toMatch(/^Ask again/)
    expect(unanswered(error)).toBe(true)
  })

  it('is the server’s own, where it may have been done', async () => {
    const { error } = await sent(new Wishes(), 'reboot', refusal('outcome_unknown', 409))
    expect(error).toBeInstanceOf(Undecided)
    expect(error).toMatchObject({ problem: { title: 'outcome_unknown' } })
    expect(unanswered(error)).toBe(false)
  })

  it('is the refusal, where nothing was done', async () => {
    const no = refusal('disabled', 409)
    expect((await sent(new Wishes(), 'reboot', no)).error).toBe(no)
  })
})

describe('what is unknown of a thing', () => {
  it('is told for other wishes about it', async () => {
    const wishes = new Wishes()
    await sent(wishes, 'reboot', NO_ANSWER, { ...WEB, things: ['web', 'db'], said: '2 guests were asked to reboot' })
    expect(wishes.unknown('stop', { ...WEB, things: ['db'] })).toEqual(['2 guests were asked to reboot'])
    expect(wishes.unknown('stop', { ...WEB, things: ['mail'] })).toEqual([])
    expect(wishes.unknown('reboot', { ...WEB, things: ['web', 'db'] })).toEqual([])
  })

  it('is nothing after an answer', async () => {
    const wishes = new Wishes()
    await sent(wishes, 'reboot', NO_ANSWER)
    await sent(wishes, 'reboot', refusal('disabled', 409))
    expect(wishes.unknown('stop', WEB)).toEqual([])
  })
})
