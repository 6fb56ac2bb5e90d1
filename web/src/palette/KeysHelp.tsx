/** All keys of the console. */
import { Group, Kbd, Modal, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { Fragment } from 'react'
import { useFocusBack } from '~/ui/useFocusBack'
import { ALL } from './keys'

export default function KeysHelp({ close }: { close: () => void }) {
  useFocusBack()
  return (
    <Modal opened onClose={close} title="Keys" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="lg">
        {ALL.map(({ group, keys }) => (
          <Stack key={group} gap={6}>
            <Title order={3}>{group}</Title>
            {keys.map(({ keys: row, what }) => (
              <Group key={what} gap="sm" wrap="nowrap" align="flex-start">
                <span style={{ flex: 'none', minWidth: 84 }}>
                  {row.map((key, index) => (
                    <Fragment key={index}>
                      {index > 0 && ' '}
                      <Kbd>{key}</Kbd>
                    </Fragment>
                  ))}
                </span>
                <Text size="sm">{what}</Text>
              </Group>
            ))}
          </Stack>
        ))}
      </SimpleGrid>
      <Text size="sm" className="quiet" mt="md">
        None of them does anything while you write in a field, except Ctrl K and Esc.
      </Text>
    </Modal>
  )
}
