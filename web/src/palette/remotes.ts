/** Connecting and trying a remote from the palette. What came of it is said in a corner of the window. */
import { notifications } from '@mantine/notifications'
import type { RemoteRow } from '~/api/types'
import { words } from '~/format/format'
import { askForLink, DONE, type LinkDeed } from '~/pages/remotes/link'
import { sayNotDone } from '~/ui/notDone'

export async function actOnLink(deed: LinkDeed, remote: RemoteRow): Promise<void> {
  try {
    const now = await askForLink(deed, remote)
    notifications.show({
      color: now.link.up ? 'muster' : 'blue',
      title: `${now.name} is ${words(now.link.state)}`,
      message: now.link.cause?.sentence ?? 'Its page tells how the link fares from now on.',
    })
  } catch (error) {
    sayNotDone(error, `${remote.name} was not ${DONE[deed]}`, () => void actOnLink(deed, remote))
  }
}
