import { expect, it } from 'vitest'
import { read, size, written } from './picked'

const of = (remote_id: number, ...vmids: number[]) => vmids.map((vmid) => ({ remote_id, vmid }))

it('says runs of numbers in short, and a group for each remote', () => {
  expect(written([...of(9, 5), ...of(7, 105, 101, 100, 102)])).toBe('7.100-102.105_9.5')
  expect(written([])).toBe('')
})

it('reads what it has written', () => {
  const guests = [...of(7, 100, 101, 102, 105), ...of(9, 5)]
  const picked = read(written(guests), 500)
  expect([...picked]).toEqual([
    [7, [100, 101, 102, 105]],
    [9, [5]],
  ])
  expect(size(picked)).toBe(5)
})

it('needs no more than a hundred letters for five hundred guests in a row', () => {
  expect(written(Array.from({ length: 500 }, (_, at) => ({ remote_id: 3, vmid: 100 + at })))).toBe('3.100-599')
})

it('takes no more than asked for, and nothing from what is no such text', () => {
  expect(size(read('1.1-999999999', 500))).toBe(500)
  expect(size(read('1.1-400_2.1-400', 500))).toBe(500)
  for (const text of ['', '7', 'x.1', '7.', '7.5-', '7.9-5', '<b>', '7.1 _']) expect(size(read(text, 500)), text).toBe(0)
})
