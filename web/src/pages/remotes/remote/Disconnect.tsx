/** Disconnecting a remote: what that means, and the operations that would not be followed any more. */
import { Group, Modal, Stack, Text } from '@mantine/core'
import { api, unwrap } from '~/api/client'
import type { Remote } from '~/api/types'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { useChange } from '../useRemote'
import { isOpen, OpenOperations } from './OpenOperations'

export function Disconnect({ remote, opened, close }: { remote: Remote; opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} title={`Disconnect ${remote.name}?`}>
      {opened && <Body remote={remote} close={close} />}
    </Modal>
  )
}

function Body({ remote, close }: { remote: Remote; close: () => void }) {
  const disconnect = useChange(
    remote,
    (even: boolean, params) =>
      unwrap(api.POST('/api/v1/remotes/{remote}/disconnect', { params, body: { even_with_open: even } })),
    close,
  )
  const open = isOpen(disconnect.error)
  return (
    <Stack gap="sm">
      <Text size="sm">
        Muster ends its session on <b className="name">{remote.name}</b> and sends nothing more to it, also after a restart, until somebody
        connects it. Its guests go on running. What is known of them stays here and grows old.
      </Text>
      {open ? <OpenOperations error={disconnect.error} /> : disconnect.error && <ProblemView error={disconnect.error} />}
      {open && (
        <Text size="sm" className="quiet">
          They go on at the host. Once the remote is connected again, they are followed again.
        </Text>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button color={open ? 'yellow' : undefined} loading={disconnect.isPending} onClick={() => disconnect.mutate(open)}>
          {open ? 'Disconnect even so' : 'Disconnect'}
        </Button>
      </Group>
    </Stack>
  )
}
