/** What may be done with a remote. What may not be done now stays in its place and says why. */
import { Button, Menu, Tooltip } from '@mantine/core'
import { IconChevronDown, IconExternalLink } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Remote, Schemas } from '~/api/types'
import { useSession } from '~/shell/session'
import { Act } from '../Act'
import { forbidden } from '../decide'
import { useChange } from '../useRemote'
import { Disconnect } from './Disconnect'
import { Edit } from './Edit'
import { Remove } from './Remove'
import { failed } from './failed'

type Dialog = 'disconnect' | 'edit' | 'remove'

export function Actions({ remote, onGone }: { remote: Remote; onGone: (removed: Schemas['Removed']) => void }) {
  const session = useSession()
  const navigate = useNavigate()
  const [dialog, setDialog] = useState<Dialog>()
  const connect = useChange(remote, (_: void, params) => unwrap(api.POST('/api/v1/remotes/{remote}/connect', { params })))
  const barred = forbidden(session, remote)
  const off = remote.link.state === 'disconnected'
  const close = () => setDialog(undefined)
  const item = (label: string, act: () => void, color?: string) => (
    <Tooltip label={barred} disabled={barred === undefined} position="left">
      <Menu.Item
        color={color}
        data-disabled={barred !== undefined || undefined}
        aria-disabled={barred !== undefined || undefined}
        closeMenuOnClick={barred === undefined}
        onClick={() => {
          if (barred === undefined) act()
        }}
      >
        {label}
      </Menu.Item>
    </Tooltip>
  )
  return (
    <>
      {remote.web_url && (
        <Button
          component="a"
          href={remote.web_url}
          target="_blank"
          rel="noreferrer"
          variant="default"
          size="compact-sm"
          rightSection={<IconExternalLink size={14} />}
        >
          Open in Proxmox
        </Button>
      )}
      {off ? (
        <Act
          variant="filled"
          forbidden={barred}
          loading={connect.isPending}
          onClick={() => connect.mutate(undefined, { onError: failed(`${remote.name} was not connected`) })}
        >
          Connect
        </Act>
      ) : (
        <Act forbidden={barred} onClick={() => setDialog('disconnect')}>
          Disconnect…
        </Act>
      )}
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button variant="default" size="compact-sm" rightSection={<IconChevronDown size={14} />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {item('Edit…', () => setDialog('edit'))}
          {item('Sign in anew…', () => void navigate({ to: '/add-remote', search: { again: String(remote.id) } }))}
          {item('Remove…', () => setDialog('remove'), 'red')}
        </Menu.Dropdown>
      </Menu>
      <Disconnect remote={remote} opened={dialog === 'disconnect'} close={close} />
      <Edit remote={remote} opened={dialog === 'edit'} close={close} />
      <Remove remote={remote} opened={dialog === 'remove'} close={close} onGone={onGone} />
    </>
  )
}
