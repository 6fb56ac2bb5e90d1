/** What lies on a storage, counted by what it is. */
import { Group, Paper, Skeleton, Stack, Table, Text, Title } from '@mantine/core'
import type { Schemas } from '~/api/types'
import { bytes, count, DASH, many } from '~/format/format'
import { Ago } from '~/ui/Time'
import { kindOf, left } from './kinds'

type There = Schemas['StorageContents']

export function Contents({ contents, asked, leftOut }: { contents: readonly There[]; asked: boolean; leftOut: number }) {
  const several = contents.length > 1
  return (
    <section aria-label="What lies there">
      <Title order={2} mb="xs">
        What lies there
      </Title>
      <Stack gap="sm">
        {!asked && contents.every((one) => !one.seen) ? (
          <Skeleton height={80} />
        ) : contents.length === 0 ? (
          <Text size="sm" className="quiet">
            It was never listed.
          </Text>
        ) : (
          contents.map((one) => <Place key={one.node} there={one} several={several} />)
        )}
        {leftOut > 0 && (
          <Text size="sm" className="quiet">
            {many(leftOut, 'more node')} not asked now: there are too many.
          </Text>
        )}
      </Stack>
    </section>
  )
}

function Place({ there, several }: { there: There; several: boolean }) {
  const { seen, error } = there
  return (
    <Paper withBorder p="sm" className={error && seen ? 'stale' : undefined}>
      {(several || error) && (
        <Group gap="xs" mb={4}>
          {several && (
            <Title order={3} className="name">
              {there.node}
            </Title>
          )}
          {error && (
            <Text size="sm" className="quiet">
              {seen ? (
                <>
                  As listed <Ago at={seen.at} />. Not newer: {error.sentence}
                </>
              ) : (
                <>It was never listed: {error.sentence}</>
              )}
            </Text>
          )}
        </Group>
      )}
      {seen && (
        <>
          {seen.value.kinds.length > 0 ? (
            <Table aria-label={`What lies on ${there.node}`}>
              <Table.Tbody>
                {seen.value.kinds.map((kind) => (
                  <Table.Tr key={kind.content ?? ''}>
                    <Table.Th scope="row">{kindOf(kind.content)}</Table.Th>
                    <Table.Td className="figures">{count(kind.volumes)}</Table.Td>
                    <Table.Td className="figures">
                      {kind.bytes == null ? DASH : bytes(kind.bytes)}
                      {kind.sizeless > 0 && kind.bytes != null && <span className="quiet"> and {kind.sizeless} of unknown size</span>}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          ) : (
            <Text size="sm" className="quiet">
              Nothing was listed.
            </Text>
          )}
          {left(seen.value).map((line) => (
            <Text key={line} size="sm" className="quiet" mt={4}>
              {line}
            </Text>
          ))}
          {seen.value.unreadable > 0 && (
            <Text size="sm" className="quiet" mt={4}>
              {many(seen.value.unreadable, 'row')} of the list could not be read.
            </Text>
          )}
        </>
      )}
    </Paper>
  )
}
