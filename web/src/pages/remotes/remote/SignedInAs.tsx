/** How Muster signs in, and what it made on the host for that. */
import { Anchor, Text } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import type { Remote } from '~/api/types'
import { useSession } from '~/shell/session'
import { Act } from '~/ui/Blocked'
import { type Fact, Facts } from '~/ui/Facts'
import { Id } from '~/ui/Id'
import { Panel } from '~/ui/Panel'
import { Ago } from '~/ui/Time'
import { Fingerprint } from '../Certificate'
import { forbidden } from '../decide'

const RIGHTS: Record<string, string> = {
  look: 'look: sees everything, changes nothing',
  operate: 'operate: sees everything; starts, stops and otherwise switches guests',
  same_as_user: 'same as its user: may do everything that its user may do',
}

export function SignedInAs({ remote }: { remote: Remote }) {
  const session = useSession()
  const navigate = useNavigate()
  const { credential, interval_seconds: interval } = remote
  const minted = credential?.minted
  const facts: Fact[] = []
  if (credential) {
    facts.push({ name: 'Signs in as', value: <Id text={credential.user} what="user" /> })
    facts.push({ name: 'With', value: credential.kind === 'token' ? 'an API token' : 'a password, sealed in Muster’s store' })
    if (credential.rights) facts.push({ name: 'Rights', value: RIGHTS[credential.rights] ?? credential.rights })
  } else {
    facts.push({ name: 'Signs in as', value: <span className="quiet">not told</span> })
  }
  if (minted) {
    facts.push({
      name: 'Made on the host',
      value: <span>
        the token <span className="mono">{minted.id}</span>
        {minted.role && <> with the role {minted.role}</>}, <Ago at={minted.created} />
      </span>,
    })
    if ((minted.privileges ?? []).length > 0) facts.push({ name: 'Privileges', value: (minted.privileges ?? []).join(', ') })
  }
  if (remote.identity) facts.push({ name: 'Identity', value: <span>root certificate <Fingerprint text={remote.identity} /></span> })
  facts.push({ name: 'Poll interval', value: interval == null ? 'the usual one' : `${interval} s` })
  facts.push({ name: 'Web interface', value: remote.web_url ? <Anchor size="sm" href={remote.web_url} target="_blank" rel="noreferrer">{remote.web_url}</Anchor> : '–' })
  return (
    <Panel
      title="Sign-in and settings"
      beside={
        <Act
          forbidden={forbidden(session, remote)}
          onClick={() => void navigate({ to: '/add-remote', search: { again: String(remote.id) } })}
        >
          Sign in anew…
        </Act>
      }
    >
      <Facts inRows facts={facts} />
      {credential?.kind === 'password' && (
        <Text size="sm" className="quiet">
          Where this account has a second factor, the link waits for a code at every new sign-in. A token made for Muster needs none.
        </Text>
      )}
    </Panel>
  )
}
