/** Adding a remote, or signing in to one anew: address, certificate, sign-in, rights, first inventory. */
import { Paper, Select, Stack, Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { Refusal } from '~/api/client'
import type { Schemas } from '~/api/types'
import { useMay } from '~/shell/session'
import { Button } from '~/ui/Button'
import { Empty } from '~/ui/Empty'
import { LinkButton } from '~/ui/LinkButton'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { FinishStep } from './add/FinishStep'
import { FirstLook } from './add/FirstLook'
import { Managed } from './add/Managed'
import { type Kept, type Onboarding, reachable, type View, viewOf, VIEWS } from './add/onboarding'
import { CertificateStep, type Draft, EMPTY, SecondFactorStep, SignInStep } from './add/steps'
import { Trouble } from './add/Trouble'
import { type Flow, useEndWhenLeft, useOnboarding } from './add/useOnboarding'
import { remoteQuery } from './useRemote'
import classes from './remotes.module.css'

const route = getRouteApi('/inside/add-remote')

export default function AddRemotePage() {
  const { again } = route.useSearch()
  // Another remote is another wizard.
  return <Gate key={again ?? ''} again={again} />
}

function Gate({ again }: { again: string | undefined }) {
  const known = useQuery({ ...remoteQuery(again ?? ''), enabled: again !== undefined })
  const everywhere = useMay('administrator', null)
  const here = useMay('administrator', known.data?.id ?? null)
  const title = again === undefined ? 'Add a remote' : `Sign in anew to ${known.data?.name ?? '…'}`
  if (again !== undefined && known.error) {
    return (
      <Page title={title}>
        <ProblemView error={known.error} again={() => void known.refetch()} />
      </Page>
    )
  }
  if (again !== undefined && !known.data) return <Page title={title}>{null}</Page>
  const may = again === undefined ? everywhere : here
  if (!may) {
    return (
      <Page title={title}>
        <Empty title="Not for your role" action={<LinkButton to="/remotes" variant="default">To the remotes</LinkButton>}>
          {again === undefined
            ? 'Adding a remote makes Muster dial an address of your choice: that needs the role administrator on all remotes.'
            : 'Signing in anew needs the role administrator on this remote.'}
        </Empty>
      </Page>
    )
  }
  return (
    <Page title={title}>
      <Wizard remote={known.data} />
    </Page>
  )
}

function Wizard({ remote }: { remote: Schemas['Remote'] | undefined }) {
  const { id } = route.useSearch()
  const navigate = useNavigate({ from: '/add-remote' })
  const [wanted, show] = useState<View>()
  const [address, setAddress] = useState<string>()
  const [draft, setDraft] = useState<Draft>(EMPTY)
  const [factored, setFactored] = useState(false)
  const [name, setName] = useState<string>()
  const [kept, setKept] = useState<Kept>()
  const [finished, setFinished] = useState<Schemas['Finished']>()

  const hear = (state: Onboarding) => {
    // A host that is trusted already is still shown: one sees what is believed, and why.
    const fresh = state.id !== id
    show(fresh && !remote ? 'certificate' : viewOf(state.step))
    if (state.step === 'second_factor') setFactored(true)
    if (state.step === 'finish') setDraft((had) => ({ ...had, password: '', tokenSecret: '' }))
    if (fresh) void navigate({ search: (had) => ({ ...had, id: state.id }), replace: true })
  }
  const flow = useOnboarding(id, hear)
  const { state } = flow
  useEndWhenLeft(id, finished !== undefined)

  if (finished) {
    return (
      <Frame view="finish" state={state} show={() => undefined} over>
        <FirstLook finished={finished} again={remote !== undefined} />
      </Frame>
    )
  }
  const ended = id !== undefined && flow.lost instanceof Refusal && flow.lost.status === 404
  const at = wanted ?? (state ? viewOf(state.step) : 'address')
  const view: View = reachable(at, state) ? at : state ? viewOf(state.step) : 'address'
  const leave = async () => {
    if (remote) await navigate({ to: '/remotes/$remote', params: { remote: String(remote.id) } })
    else await navigate({ to: '/remotes' })
  }
  const cancel = (
    <Button variant="subtle" color="gray" onClick={() => void leave()}>
      Cancel
    </Button>
  )
  const back = (to: View) => (
    <Button variant="default" onClick={() => show(to)}>
      Back
    </Button>
  )
  const managed = (error: unknown) =>
    isManaged(error) ? <Managed error={error} state={state} /> : undefined

  return (
    <Frame view={view} state={state} show={show}>
      {ended && view === 'address' && (
        <Text size="sm" role="status" mb="sm">
          What was begun has ended: it was left, or a quarter of an hour has gone by since its beginning. Nothing was saved, and nothing
          is left on the host. Begin anew.
        </Text>
      )}
      {view === 'address' && (
        <AddressStep
          flow={flow}
          remote={remote}
          address={address ?? (state && !remote ? state.endpoint : '')}
          change={setAddress}
          cancel={cancel}
        />
      )}
      {view === 'certificate' && state && (
        <CertificateStep flow={flow} state={state} back={back('address')} onward={() => show(viewOf(state.step))} />
      )}
      {view === 'sign_in' && state && (
        <SignInStep flow={flow} state={state} back={back('certificate')} draft={draft} change={setDraft} extra={managed} />
      )}
      {view === 'second_factor' && state && (
        <SecondFactorStep flow={flow} state={state} back={back('sign_in')} extra={managed} />
      )}
      {view === 'finish' && state?.signed_in && (
        <FinishStep
          state={state}
          signedIn={state.signed_in}
          factored={factored}
          back={back('sign_in')}
          name={name}
          onName={setName}
          kept={kept}
          onKept={setKept}
          onFinished={setFinished}
          extra={managed}
        />
      )}
    </Frame>
  )
}

function isManaged(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'already_managed'
}

/** The line of steps, and the one on screen. */
function Frame({
  view,
  state,
  show,
  over = false,
  children,
}: {
  view: View
  state: Onboarding | undefined
  show: (view: View) => void
  over?: boolean
  children: ReactNode
}) {
  // The code is a step only of those who have one.
  const steps = VIEWS.filter((one) => one.view !== 'second_factor' || view === 'second_factor' || state?.step === 'second_factor')
  const now = steps.findIndex((one) => one.view === view)
  return (
    <Stack gap="md" maw={760}>
      <nav aria-label="Steps">
        <ol className={classes.steps}>
          {steps.map((one, index) => {
            const place = over || index < now ? 'done' : index === now ? 'now' : 'later'
            const goes = !over && index !== now && reachable(one.view, state)
            return (
              <li key={one.view} data-state={place} aria-current={place === 'now' ? 'step' : undefined}>
                {goes ? (
                  <Button variant="subtle" size="compact-sm" onClick={() => show(one.view)}>
                    {one.label}
                  </Button>
                ) : (
                  one.label
                )}
              </li>
            )
          })}
          <li data-state={over ? 'now' : 'later'} aria-current={over ? 'step' : undefined}>
            First inventory
          </li>
        </ol>
      </nav>
      <Paper withBorder p={{ base: 'sm', sm: 'lg' }}>
        {children}
      </Paper>
    </Stack>
  )
}

function AddressStep({
  flow,
  remote,
  address,
  change,
  cancel,
}: {
  flow: Flow
  remote: Schemas['Remote'] | undefined
  address: string
  change: (address: string) => void
  cancel: ReactNode
}) {
  const endpoints = remote?.link.endpoints ?? []
  const first = remote?.link.in_use ?? endpoints[0]?.id ?? ''
  const chosen = remote ? address || first : address
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        flow.begin.mutate(remote ? { address: chosen, remote: String(remote.id) } : { address: chosen.trim() })
      }}
    >
      <Stack gap="md">
        {remote ? (
          <Select
            label="Through which endpoint"
            description="The identity has to be the same: another cluster that answers there is refused."
            data={endpoints.map((endpoint) => endpoint.id)}
            value={chosen}
            onChange={(value) => change(value ?? '')}
            allowDeselect={false}
          />
        ) : (
          <TextInput
            label="Address"
            description="A name, host:port, or what stands in the browser’s address line. Without a port it is 8006."
            placeholder="pve.example"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            inputMode="url"
            required
            autoFocus
            value={chosen}
            onChange={(event) => change(event.currentTarget.value)}
          />
        )}
        <Text size="sm" className="quiet">
          Next, the certificate is shown. Nothing is sent before it is trusted.
        </Text>
        {flow.begin.error && (isManaged(flow.begin.error) ? <Managed error={flow.begin.error} /> : <Trouble error={flow.begin.error} />)}
        <div style={{ display: 'flex', justifyContent: 'space-between', gap: 8 }}>
          {cancel}
          <Button type="submit" loading={flow.begin.isPending}>
            Continue
          </Button>
        </div>
      </Stack>
    </form>
  )
}
