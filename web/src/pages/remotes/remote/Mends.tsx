/** The buttons that would mend a link as it stands; each says where it was pressed why it did not help. */
import { Group, Modal, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import type { Remote } from '~/api/types'
import { useSession } from '~/shell/session'
import { Act } from '~/ui/Blocked'
import { ProblemView } from '~/ui/Problem'
import { FactorForm } from '../add/steps'
import { Trouble } from '../add/Trouble'
import { forbidden, forbiddenToTry, mends, untrusted } from '../decide'
import { useLinkDeed } from '../link'
import { useChange } from '../useRemote'
import { Compare } from './Compare'

export function Mends({ remote }: { remote: Remote }) {
  const session = useSession()
  const navigate = useNavigate()
  const [comparing, setComparing] = useState<string>()
  const [asking, code] = useDisclosure(false)
  const attempt = useLinkDeed('try', remote)
  const connect = useLinkDeed('connect', remote)
  const steps = mends(remote.link)
  const barred = forbidden(session, remote)
  const first = untrusted(remote.link)[0]
  if (steps.length === 0) return null
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {steps.map((step, index) => {
          const variant = index === 0 ? 'filled' : 'default'
          switch (step) {
            case 'connect':
              return (
                <Act key={step} variant={variant} forbidden={barred} loading={connect.isPending} onClick={() => connect.mutate()}>
                  Connect
                </Act>
              )
            case 'second_factor':
              return (
                <Act key={step} variant={variant} forbidden={barred} onClick={code.open}>
                  Give the second factor…
                </Act>
              )
            case 'trust':
              return (
                <Act key={step} variant={variant} forbidden={barred} onClick={() => setComparing(first?.id)}>
                  Compare the certificates…
                </Act>
              )
            case 'sign_in':
              return (
                <Act
                  key={step}
                  variant={variant}
                  forbidden={barred}
                  onClick={() => void navigate({ to: '/add-remote', search: { again: String(remote.id) } })}
                >
                  Sign in anew…
                </Act>
              )
            case 'try':
              return (
                <Act
                  key={step}
                  variant={variant}
                  forbidden={forbiddenToTry(session, remote)}
                  loading={attempt.isPending}
                  onClick={() => attempt.mutate()}
                >
                  Try now
                </Act>
              )
          }
        })}
      </Group>
      {attempt.error && <ProblemView error={attempt.error} />}
      {connect.error && <ProblemView error={connect.error} />}
      <Compare remote={remote} endpoint={comparing} close={() => setComparing(undefined)} />
      <Modal opened={asking} onClose={code.close} title={`Second factor for ${remote.name}`}>
        {asking && <Factor remote={remote} close={code.close} />}
      </Modal>
    </Stack>
  )
}

function Factor({ remote, close }: { remote: Remote; close: () => void }) {
  const facts = [remote.link.cause, ...remote.link.endpoints.map((endpoint) => endpoint.cause)]
    .map((cause) => cause?.facts)
    .find((one) => one?.cause === 'second_factor_needed')
  const kinds = facts?.cause === 'second_factor_needed' ? facts.kinds : []
  const answer = useChange(
    remote,
    (body: { code: string; kind: string }, params) =>
      unwrap(api.POST('/api/v1/remotes/{remote}/second-factor', { params, body })),
    close,
  )
  return (
    <FactorForm
      kinds={kinds}
      pending={answer.isPending}
      error={answer.error && <Trouble error={answer.error} />}
      back={<Act size="sm" variant="subtle" onClick={close}>Cancel</Act>}
      submit={(given) => answer.mutate(given)}
    />
  )
}
