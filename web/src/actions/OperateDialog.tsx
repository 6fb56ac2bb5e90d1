/**
 * What stands between a wish and its being done: which guests, what may be lost, how. One guest is then followed in a toast;
 * several are followed here, each with its own result, until all have ended.
 */
import { Alert, Checkbox, Group, Modal, NumberInput, Skeleton, Stack, Text } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { unanswered } from '~/api/client'
import { many } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { Button } from '~/ui/Button'
import { ProblemView } from '~/ui/Problem'
import { useFocusBack } from '~/ui/useFocusBack'
import classes from './actions.module.css'
import { ask, unknownOf, whom } from './ask'
import { PlanList } from './PlanList'
import { Results } from './Results'
import { planOf, type StartedItem, type Wish } from './server'
import { ShowAsOf } from './ShowAs'
import { FORCED, power, type PowerOptions } from './table'
import { toastStarted } from './toast'

/** What Proxmox VE takes for a container; a virtual machine gets three minutes. */
const LONGEST_S = 24 * 3600

export default function OperateDialog({ wish: first, close }: { wish: Wish; close: () => void }) {
  useFocusBack()
  const [wish, setWish] = useState(first)
  const [started, setStarted] = useState<readonly StartedItem[]>()
  const { label } = power(wish.action)
  return (
    <Modal
      opened
      onClose={close}
      size="lg"
      title={
        <Text component="span" fw={600} className="name">
          {label} {whom(wish)}
        </Text>
      }
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {started ? (
        <Results
          wish={wish}
          started={started}
          close={close}
          again={(targets) => {
            setWish({ ...wish, targets })
            setStarted(undefined)
          }}
        />
      ) : (
        // Other guests are another question.
        <Question
          key={wish.targets.map((one) => `${one.remote}/${one.vmid}`).join(' ')}
          wish={wish}
          change={(options) => setWish({ ...wish, options })}
          close={close}
          done={(items, asked) => {
            if (items.length === 1 && first.targets.length === 1) {
              toastStarted(asked, items)
              close()
            } else {
              setWish(asked)
              setStarted(items)
            }
          }}
        />
      )}
    </Modal>
  )
}

interface QuestionProps {
  wish: Wish
  change: (options: PowerOptions) => void
  close: () => void
  /** What became of it, and of which of the guests it was asked. */
  done: (items: readonly StartedItem[], asked: Wish) => void
}

function Question({ wish, change, close, done }: QuestionProps) {
  const { verb, label, harsh } = power(wish.action)
  const plan = useQuery({
    queryKey: ['plan', wish],
    queryFn: ({ signal }) => planOf(wish, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
    refetchInterval: 10_000,
  })
  const [busy, setBusy] = useState(false)
  const [failed, setFailed] = useState<unknown>()
  // What nobody knows the end of: asked for again, it is the same wish, whatever the plan says by then.
  const [open, setOpen] = useState<Wish>()
  const items = plan.data
  const possible = items?.filter((item) => item.availability.availability !== 'disabled')
  const one = wish.targets.length === 1
  const unknown = unknownOf(open ?? wish)
  const here = useRef(false)
  useEffect(() => {
    here.current = true
    return () => {
      here.current = false
    }
  }, [])
  const go = async () => {
    if (!possible) return
    const asked: Wish = open ?? { ...wish, targets: one ? wish.targets : possible.map((item) => item.target) }
    setBusy(true)
    setFailed(undefined)
    try {
      const started = await ask(asked, (later) => {
        if (here.current) done(later, asked)
        else toastStarted(asked, later)
      })
      done(started, asked)
    } catch (error) {
      setOpen(unanswered(error) ? asked : undefined)
      setFailed(error)
      void plan.refetch()
    } finally {
      setBusy(false)
    }
  }
  const nothing = possible?.length === 0
  return (
    <Stack gap="md">
      {plan.isError && !items ? (
        <ProblemView error={plan.error} again={() => void plan.refetch()} title="What would be done could not be told" />
      ) : items ? (
        <PlanList items={items} />
      ) : (
        <Skeleton height={58} />
      )}
      <Lost wish={wish} />
      <Options
        wish={wish}
        change={(options) => {
          setOpen(undefined)
          change(options)
        }}
      />
      <ShowAsOf items={items} />
      {nothing && (
        <Alert color="yellow" variant="light" role="status">
          {one ? `It cannot be asked to ${verb} now.` : `None of them can be asked to ${verb} now.`}
        </Alert>
      )}
      {unknown.length > 0 && (
        <Alert color="yellow" variant="light" role="status" title="No answer came to something asked for before">
          <Text size="sm" className="name">
            {unknown.map((said) => `Unknown whether ${said}.`).join(' ')} The{' '}
            <AnchorLink to="/operations" size="sm" c="inherit" underline="always" onClick={close}>
              operations
            </AnchorLink>{' '}
            show it, if it arrived.
          </Text>
        </Alert>
      )}
      {failed !== undefined && <ProblemView error={failed} title="Not done" />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close} data-autofocus={harsh}>
          Cancel
        </Button>
        <Button
          color={(harsh ?? wish.options?.force_stop) ? 'red' : undefined}
          onClick={() => void go()}
          loading={busy}
          disabled={!open && (!possible || nothing)}
          data-autofocus={!harsh}
        >
          {open ? 'Ask again' : one || !possible ? label : `${label} ${many(possible.length, 'guest')}`}
        </Button>
      </Group>
    </Stack>
  )
}

/** What may be lost. */
function Lost({ wish }: { wish: Wish }) {
  const { lost, harsh } = power(wish.action)
  const which = wish.targets.length === 1 ? 0 : 1
  const forced = wish.options?.force_stop === true
  if (!lost) return null
  return (
    <div className={classes.lost} data-harsh={(harsh ?? forced) || undefined}>
      <Text size="sm">{lost[which]}</Text>
      {forced && <Text size="sm">{FORCED[which]}</Text>}
    </div>
  )
}

/** What may be said beside the action. */
function Options({ wish, change }: { wish: Wish; change: (options: PowerOptions) => void }) {
  const { options } = power(wish.action)
  const said = wish.options ?? {}
  const one = wish.targets.length === 1
  if (options.length === 0) return null
  return (
    <Group gap="lg" align="flex-end">
      {options.includes('timeout_seconds') && (
        <NumberInput
          label={one ? 'Give it at most' : 'Give each at most'}
          placeholder="as long as Proxmox VE gives it"
          suffix=" s"
          min={1}
          max={LONGEST_S}
          allowDecimal={false}
          allowNegative={false}
          value={said.timeout_seconds ?? ''}
          onChange={(value) => change({ ...said, timeout_seconds: typeof value === 'number' && value > 0 ? value : undefined })}
          w={280}
        />
      )}
      {options.includes('force_stop') && (
        <Checkbox
          label={one ? 'Stop it when it has not shut down by then' : 'Stop those that have not shut down by then'}
          checked={said.force_stop === true}
          onChange={(event) => change({ ...said, force_stop: event.currentTarget.checked ? true : undefined })}
          pb={8}
        />
      )}
    </Group>
  )
}
