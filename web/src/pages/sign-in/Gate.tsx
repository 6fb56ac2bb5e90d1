/** What stands before the sign-in: one box in the middle of the window. */
import { Center, Group, Paper, Stack, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import type { ReactNode } from 'react'
import { root } from '~/api/client'

export function Gate({ title, wide, children }: { title: string; wide?: boolean; children: ReactNode }) {
  useDocumentTitle(`${title} · Muster`)
  return (
    <Center mih="100dvh" p="md" component="main">
      <Paper withBorder p="lg" w="100%" maw={wide ? 520 : 400}>
        <Stack>
          <Group gap="xs" wrap="nowrap">
            <img src={`${root}/muster.svg`} alt="" width={28} height={28} />
            <Title order={1}>{title}</Title>
          </Group>
          {children}
        </Stack>
      </Paper>
    </Center>
  )
}
