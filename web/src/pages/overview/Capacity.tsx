/** What there is in all and how much of it is used: sums of what is known, which say of how many they are made. */
import { Progress, Stack, Text } from '@mantine/core'
import type { Schemas } from '~/api/types'
import { bytes, DASH, percent } from '~/format/format'
import { Panel } from '~/ui/Panel'
import { shareOf, usageColor } from '~/ui/Usage'
import { madeOf } from './decide'

export function Capacity({ capacity }: { capacity: Schemas['Capacity'] }) {
  const { cpu, memory, storage } = capacity
  return (
    <Panel title="Capacity">
      <Stack gap="md">
        <Sum label="Processors" sum={cpu} one="node" write={cores} unit=" cores" />
        <Sum label="Memory" sum={memory} one="node" write={bytes} />
        <Sum label="Storage" sum={storage} one="storage" write={bytes} note="Shared storage is counted once." />
      </Stack>
    </Panel>
  )
}

function cores(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0)
}

interface SumProps {
  label: string
  sum: Schemas['Amount'] | Schemas['Cores']
  one: string
  write: (value: number) => string
  unit?: string
  note?: string
}

function Sum({ label, sum, one, write, unit = '', note }: SumProps) {
  const share = shareOf(sum.used, sum.total)
  const known = (value: number | null | undefined) => (value == null ? DASH : write(value))
  const text = sum.total == null ? 'not known' : `${known(sum.used)} of ${known(sum.total)}${unit}`
  const made = madeOf(sum, one)
  return (
    <div>
      <Text size="sm" component="div" style={{ display: 'flex', justifyContent: 'space-between', gap: 8 }}>
        <span>{label}</span>
        <span className="figures">{share === undefined ? '' : percent(share)}</span>
      </Text>
      <Progress
        value={share === undefined ? 0 : Math.min(100, share * 100)}
        color={share === undefined ? 'gray' : usageColor(share)}
        size="md"
        aria-label={`${label}: ${text}`}
        my={4}
      />
      <Text size="xs" className="quiet figures">
        {text}
        {made && `; ${made}`}
        {note && `. ${note}`}
      </Text>
    </div>
  )
}
