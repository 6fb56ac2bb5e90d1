/** What may be done with a remote. What may not be done now stays in its place and says why. */
import { Menu, Tooltip } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { getRouteApi } from '@tanstack/react-router'
import { useRef } from 'react'
import type { Remote, Schemas } from '~/api/types'
import { useSession } from '~/shell/session'
import { Act } from '~/ui/Blocked'
import { Button } from '~/ui/Button'
import { sayNotDone } from '~/ui/notDone'
import { OpenInProxmox } from '~/ui/OpenInProxmox'
import { forbidden } from '../decide'
import { useLinkDeed } from '../link'
import { Disconnect } from './Disconnect'
import { Edit } from './Edit'
import { Remove } from './Remove'

type Dialog = 'disconnect' | 'edit' | 'remove'

/** A dialog gives the focus back within this time, to what had it. */
const LET_GO_MS = 50

const route = getRouteApi('/inside/remotes/$remote')

export function Actions({ remote, onGone }: { remote: Remote; onGone: (removed: Schemas['Removed']) => void }) {
  const session = useSession()
  const navigate = route.useNavigate()
  const connect = useLinkDeed('connect', remote)
  const barred = forbidden(session, remote)
  const off = remote.link.state === 'disconnected'
  // Which dialog is open stands in the address: the palette opens them too.
  const asked = route.useSearch().do
  const dialog = barred === undefined && !(off && asked === 'disconnect') ? asked : undefined
  const setDialog = (to: Dialog | undefined) => void navigate({ search: (had) => ({ ...had, do: to }), replace: true })
  const more = useRef<HTMLButtonElement>(null)
  const close = () => setDialog(undefined)
  // What opened these has gone with its menu: the focus goes to the menu's button, once the dialog lets go of it.
  const closeToMenu = () => {
    close()
    setTimeout(() => more.current?.focus({ preventScroll: true }), LET_GO_MS)
  }
  const tryConnect = (): void => connect.mutate(undefined, { onError: (error) => sayNotDone(error, `${remote.name} was not connected`, tryConnect) })
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
      <OpenInProxmox url={remote.open_url} />
      {off ? (
        <Act
          variant="filled"
          forbidden={barred}
          loading={connect.isPending}
          onClick={tryConnect}
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
          <Button ref={more} variant="default" size="compact-sm" rightSection={<IconChevronDown size={14} />}>
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
      <Edit remote={remote} opened={dialog === 'edit'} close={closeToMenu} />
      <Remove remote={remote} opened={dialog === 'remove'} close={closeToMenu} onGone={onGone} />
    </>
  )
}
