/** Of what others have made Muster is built, and under which licence. */
import { Button, Group, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { count } from '~/format/format'
import { fitting, wordsOf } from '~/palette/match'
import { Empty } from '~/ui/Empty'
import { ProblemView } from '~/ui/Problem'
import { Row, Rows } from '~/ui/Rows'

const PARTS = { binary: 'server and command line', console: 'console' } as const

export function Licences() {
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const licences = useQuery({
    queryKey: ['licences'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/licences', { signal })),
    enabled: open,
    staleTime: Infinity,
  })
  const all = licences.data?.items
  const found = all && fitting(all, (one) => `${one.name} ${one.licence} ${PARTS[one.part]}`, wordsOf(text))
  return (
    <Stack gap="xs" component="section">
      <Title order={2}>Made of</Title>
      <Text size="sm" className="quiet">
        Muster itself stands under MIT or Apache 2.0. Much in it was made by others.
      </Text>
      {!open && (
        <Group>
          <Button size="compact-sm" variant="default" onClick={() => setOpen(true)}>
            Show everything and its licence
          </Button>
        </Group>
      )}
      {open && licences.error && <ProblemView error={licences.error} again={() => void licences.refetch()} />}
      {open && !all && !licences.error && <Skeleton h={200} aria-label="Loading" />}
      {found && all.length > 0 && (
        <>
          <TextInput
            aria-label="Search"
            placeholder="A name or a licence"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            maw={360}
            data-search
          />
          <Text size="sm" className="quiet" role="status">
            {text === '' ? `${count(all.length)} in all` : `${count(found.length)} of ${count(all.length)}`}
          </Text>
          {found.length > 0 && (
            <Rows label="Licences">
              {found.map((one) => (
                <Row key={one.id} title={`${one.name} ${one.version}`}>
                  <span>{one.licence}</span>
                  <span>{PARTS[one.part]}</span>
                </Row>
              ))}
            </Rows>
          )}
        </>
      )}
      {all?.length === 0 && <Empty title="This binary does not know">It was built without the list of licences.</Empty>}
    </Stack>
  )
}
