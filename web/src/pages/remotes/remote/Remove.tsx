/** Removing a remote, by its typed name: what goes, what becomes of what Muster made on the host, and what is left there. */
import { Alert, Group, Modal, Radio, Stack, Text, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Remote, Schemas } from '~/api/types'
import { Button } from '~/ui/Button'
import { Command } from '~/ui/Command'
import { LinkButton } from '~/ui/LinkButton'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { aboutRemote } from '../useRemote'
import { isOpen, OpenOperations } from './OpenOperations'
import { SignInFor } from './SignInFor'

type Removed = Schemas['Removed']
type Fate = 'remove' | 'keep'

interface RemoveProps {
  remote: Remote
  opened: boolean
  close: () => void
  onGone: (removed: Removed) => void
}

export function Remove({ remote, opened, close, onGone }: RemoveProps) {
  return (
    <Modal opened={opened} onClose={close} title={`Remove ${remote.name}?`} size="lg">
      {opened && <Body remote={remote} close={close} onGone={onGone} />}
    </Modal>
  )
}

function Body({ remote, close, onGone }: Omit<RemoveProps, 'opened'>) {
  const minted = remote.credential?.minted
  // A token with rights of its own may not remove itself; one with its user's may.
  const separated = minted?.role != null
  const [typed, setTyped] = useState('')
  const [fate, setFate] = useState<Fate>('remove')
  const [signing, setSigning] = useState(false)
  const [signedIn, setSignedIn] = useState<string>()
  // Whether somebody was asked about the operations that are open, and goes on.
  const [even, setEven] = useState(false)
  const queries = useQueryClient()
  const remove = useOnce(
    (query: { minted: Fate; even_with_open: boolean; signed_in?: string }, key) =>
      unwrap(
        api.DELETE('/api/v1/remotes/{remote}', {
          params: {
            path: { remote: String(remote.id) },
            query: { confirm: remote.name, ...query },
            header: { 'Idempotency-Key': key },
          },
        }),
      ),
    (removed) => {
      onGone(removed)
      void queries.invalidateQueries({ queryKey: ['remotes'] })
    },
    aboutRemote(remote.id, 'remove', `${remote.name} was removed`),
  )
  const open = isOpen(remove.error)
  const right = typed.trim() === remote.name
  const send = (how: { even: boolean; as?: string | undefined; keep?: boolean }) =>
    remove.mutate({
      minted: minted && !how.keep ? fate : 'keep',
      even_with_open: how.even,
      ...(how.as === undefined ? {} : { signed_in: how.as }),
    })
  const goOn = (how: { as?: string | undefined; keep?: boolean }) => {
    setEven(even || open)
    send({ ...how, even: even || open })
  }
  if (signing) {
    return (
      <SignInFor
        remote={remote}
        what={`To take ${minted?.id ?? 'the token'} off the host, somebody has to sign in there: it may not remove itself.`}
        back={() => {
          remove.reset()
          setSigning(false)
        }}
        onSignedIn={(as) => {
          setSignedIn(as)
          send({ even, as })
        }}
        pending={remove.isPending}
        error={open ? undefined : remove.error}
        otherwise={
          <Stack gap="sm">
            {open && <OpenOperations error={remove.error} />}
            <Group justify="flex-end">
              {open && signedIn !== undefined && (
                <Button color="red" loading={remove.isPending} onClick={() => goOn({ as: signedIn })}>
                  Remove it even so
                </Button>
              )}
              <Button variant="default" loading={remove.isPending} onClick={() => goOn({ keep: true })}>
                Remove it without; leave the token there
              </Button>
            </Group>
          </Stack>
        }
      />
    )
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (!right) return
        if (minted && separated && fate === 'remove' && !hasOpen(remote, open)) {
          setEven(open)
          setSigning(true)
          remove.reset()
        } else goOn({})
      }}
    >
      <Stack gap="sm">
        <Text size="sm">
          Everything that Muster remembers of <b className="name">{remote.name}</b> goes: its guests, their history, its settings. Nothing
          happens to the guests themselves.
        </Text>
        {remote.credential && !minted && (
          <Text size="sm" className="quiet">
            {leftGiven(remote) ?? 'Muster has made nothing on its host.'}
          </Text>
        )}
        {minted && (
          <Radio.Group
            label={`What becomes of the token ${minted.id} that Muster made there?`}
            value={fate}
            onChange={setFate}
          >
            <Stack gap={6} mt={6}>
              <Radio
                value="remove"
                label="It is removed from the host"
                description={
                  separated
                    ? 'With its role, where nobody else uses that. For this somebody signs in at the host, as the next step.'
                    : 'It can do so itself, while the link is up.'
                }
              />
              <Radio value="keep" label="It is left there" description="You are told what removes it by hand." />
            </Stack>
          </Radio.Group>
        )}
        <TextInput
          label={`Type its name to confirm: ${remote.name}`}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
        />
        {open ? <OpenOperations error={remove.error} /> : remove.error && <ProblemView error={remove.error} />}
        {open && (
          <Text size="sm" className="quiet">
            What becomes of them is not known any more, once the remote is removed.
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" color="red" disabled={!right} loading={remove.isPending}>
            {open ? 'Remove it even so' : minted && separated && fate === 'remove' ? 'Go on' : 'Remove'}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** What stays on the host of which Muster has made nothing: a token that it was given. */
export function leftGiven({ credential }: Pick<Remote, 'credential'>): string | undefined {
  if (credential?.kind !== 'token' || credential.minted) return undefined
  return `Muster has made nothing on its host. The token ${credential.user}, which it was given, stays there, and is good as long as nobody removes it.`
}

/** Whether operations are open that nobody has been asked about yet. */
function hasOpen(remote: Remote, asked: boolean): boolean {
  return !asked && remote.counts.operations_open > 0
}

/** The remote is gone: what is still on its host, and what removes it. */
export function Gone({ name, removed, given }: { name: string; removed: Removed; given: string | undefined }) {
  const left = removed.minted_left
  const heading = useRef<HTMLDivElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <Page title={`${name} is removed`}>
      <Stack gap="sm" maw={760} ref={heading} tabIndex={-1} role="status">
        {removed.minted_removed && (
          <Text size="sm">
            Removed from the host as well: the token <span className="mono">{removed.minted_removed}</span>.
          </Text>
        )}
        {removed.role_kept && (
          <Text size="sm">
            The role <span className="mono">{removed.role_kept}</span> stays there: something else uses it by now.
          </Text>
        )}
        {left ? (
          <Alert color="yellow" variant="light" title="Still on the host">
            <Stack gap={6}>
              {left.why && <Text size="sm">{left.why}</Text>}
              {[left.acl, left.token, left.role].map(
                (thing) =>
                  thing && (
                    <Text size="sm" key={thing.what}>
                      {thing.what}
                      {thing.why && <span className="quiet">: {thing.why}</span>}
                    </Text>
                  ),
              )}
              <Text size="sm">In a root shell on any of its nodes, this removes it:</Text>
              <Command lines={left.commands ?? []} />
            </Stack>
          </Alert>
        ) : (
          !removed.minted_removed && <Text size="sm">{given ?? 'Muster had made nothing on its host.'}</Text>
        )}
        <Group>
          <LinkButton to="/remotes" variant="default">
            To the remotes
          </LinkButton>
        </Group>
      </Stack>
    </Page>
  )
}
