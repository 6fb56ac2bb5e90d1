/** Name, poll interval and web address of a remote. */
import { Group, Modal, Stack, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Remote, Schemas } from '~/api/types'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { useChange } from '../useRemote'
import { draftOf, editOf, faults } from './edit'

export function Edit({ remote, opened, close }: { remote: Remote; opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} title={`Edit ${remote.name}`}>
      {opened && <Body remote={remote} close={close} />}
    </Modal>
  )
}

function Body({ remote, close }: { remote: Remote; close: () => void }) {
  const first = remote.link.in_use ?? remote.link.endpoints[0]?.id
  const [before] = useState(() => draftOf(remote, first))
  const [draft, setDraft] = useState(before)
  const navigate = useNavigate()
  const found = faults(draft)
  const edit = editOf(before, draft)
  const save = useChange(
    remote,
    (body: Schemas['RemoteEdit'], params) => unwrap(api.PATCH('/api/v1/remotes/{remote}', { params, body })),
    (fresh) => {
      close()
      // An address that named it by its name would lead nowhere now.
      if (fresh.name !== remote.name) void navigate({ to: '/remotes/$remote', params: { remote: String(fresh.id) }, replace: true })
    },
  )
  const set = (part: Partial<typeof draft>) => setDraft({ ...draft, ...part })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (edit === undefined) close()
        else if (Object.keys(found).length === 0) save.mutate(edit)
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Name"
          value={draft.name}
          onChange={(event) => set({ name: event.currentTarget.value })}
          error={found.name}
          maxLength={200}
          required
          data-autofocus
        />
        <TextInput
          label="Poll interval in seconds"
          description="How often its lists are read at most. Empty: the usual one."
          value={draft.interval}
          onChange={(event) => set({ interval: event.currentTarget.value })}
          error={found.interval}
          inputMode="decimal"
          placeholder="the usual one"
        />
        <TextInput
          label="Address of its web interface"
          description="Where “Open in Proxmox” leads, if not to an endpoint. Empty: to the endpoint in use."
          value={draft.web}
          onChange={(event) => set({ web: event.currentTarget.value })}
          error={found.web}
          inputMode="url"
          placeholder={first ? `https://${first}` : 'https://'}
        />
        {save.error && <ProblemView error={save.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending} disabled={Object.keys(found).length > 0}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
