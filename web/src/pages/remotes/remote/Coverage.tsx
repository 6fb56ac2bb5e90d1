/** How well each kind of fact is known: its age, how often it is read, and why it could not be. */
import { Stack, Table, Text } from '@mantine/core'
import type { Remote, Schemas } from '~/api/types'
import { count, span } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { Panel } from '~/ui/Panel'
import { State, type Tone } from '~/ui/State'
import { Ago } from '~/ui/Time'
import { useNow } from '~/ui/now'
import { sentence } from '~/format/format'
import { coverageWord, FACETS } from '../decide'
import classes from '../remotes.module.css'

const TONE: Record<ReturnType<typeof coverageWord>, Tone> = { good: 'good', failing: 'bad', late: 'warn', 'not read yet': 'unknown', 'waits for the link': 'unknown' }

export function Coverage({ remote }: { remote: Remote }) {
  return (
    <Panel title="Coverage">
      <Text size="sm" className="quiet">
        Muster reads each kind of fact by itself, at its own interval. What could not be read anew stays as it was, with its age.
      </Text>
      <Table.ScrollContainer minWidth={760}>
        <Table aria-label="Coverage">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Kind of facts</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Read</Table.Th>
              <Table.Th>Every</Table.Th>
              <Table.Th>Took</Table.Th>
              <Table.Th>Parts</Table.Th>
              <Table.Th>Drift</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {remote.coverage.map((row) => (
              <Row key={row.facet} row={row} remote={remote} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  )
}

function Row({ row, remote }: { row: Schemas['CoverageRow']; remote: Remote }) {
  const word = coverageWord(row, useNow(5000), remote.link.up)
  return (
    <Table.Tr>
      <Table.Td maw={420}>
        {FACETS[row.facet] ?? row.facet}
        <Why row={row} />
      </Table.Td>
      <Table.Td>
        <span className={classes.whole}>
          <State tone={TONE[word]}>{word}</State>
        </span>
      </Table.Td>
      <Table.Td className={classes.whole}>
        <Ago at={row.last_success} />
      </Table.Td>
      <Table.Td className={`figures ${classes.whole}`}>{span(row.interval_seconds)}</Table.Td>
      <Table.Td className={`figures ${classes.whole}`}>{row.took_seconds == null ? '–' : `${Math.max(1, Math.round(row.took_seconds * 1000))} ms`}</Table.Td>
      <Table.Td className={`figures ${classes.whole}`}>{row.parts ? `${count(row.parts.known)} of ${count(row.parts.due)}` : ''}</Table.Td>
      <Table.Td className="figures">
        {row.drift > 0 ? (
          <AnchorLink size="sm" to="/remotes/$remote" params={{ remote: String(remote.id) }} search={{ tab: 'drift' }}>
            {count(row.drift)}
          </AnchorLink>
        ) : (
          '0'
        )}
      </Table.Td>
    </Table.Tr>
  )
}

function Why({ row }: { row: Schemas['CoverageRow'] }) {
  if (!row.cause && !row.missing_privilege) return null
  return (
    <Stack gap={0}>
      {row.missing_privilege && (
        <Text size="xs" c="var(--muster-bad)">
          Missing privilege: <span className="mono">{row.missing_privilege}</span>
        </Text>
      )}
      {row.cause && (
        <Text size="xs" className="quiet name">
          {sentence(row.cause.sentence)} {row.cause.remedy}
          {row.cause.at && (
            <>
              {' '}
              (<Ago at={row.cause.at} />)
            </>
          )}
        </Text>
      )}
    </Stack>
  )
}
