/** All power actions of a guest as buttons: always there, with what stands in the way of each. */
import { Group, Tooltip, VisuallyHidden } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useId, useState } from 'react'
import type { GuestDetail } from '~/api/types'
import { useMay } from '~/shell/session'
import { Button } from '~/ui/Button'
import classes from './actions.module.css'
import { availabilityOf, press, type Press } from './decide'
import { operate } from './operate'
import type { Target } from './server'
import { POWER, type Power } from './table'

/** The buttons of one guest; `guest` is undefined until it was told. */
export function ActionButtons({ guest }: { guest: GuestDetail | undefined }) {
  const may = useMay('operator', guest?.remote_id ?? null)
  const target: Target | undefined = guest && {
    remote: String(guest.remote_id),
    vmid: guest.vmid,
    name: guest.name,
    node: guest.node,
  }
  return (
    <Group gap={6} role="group" aria-label="Power">
      {POWER.map((power) => (
        <ActionButton
          key={power.action}
          power={power}
          press={press(availabilityOf(guest, power.action), guest === undefined || may)}
          targets={target ? [target] : []}
        />
      ))}
    </Group>
  )
}

/** One action's button. It can be reached and read when it may not be pressed. */
export function ActionButton({ power, press, targets }: { power: Power; press: Press; targets: readonly Target[] }) {
  const [busy, setBusy] = useState(false)
  const described = useId()
  const { label, icon: Icon, confirm } = power
  const go = () => {
    if (!press.can || busy) return
    const asked = operate({ action: power.action, targets })
    // A person is asked in a dialog, which gives the focus back to this button: it may not lose it now.
    if (confirm) return
    setBusy(true)
    void asked.finally(() => setBusy(false))
  }
  return (
    <Tooltip label={press.hint} disabled={press.hint === undefined}>
      <Button
        size="compact-sm"
        variant="default"
        className={classes.button}
        leftSection={<Icon size={15} stroke={1.8} />}
        rightSection={press.doubtful ? <IconAlertTriangle size={14} className={classes.doubt} aria-hidden /> : undefined}
        data-disabled={press.can ? undefined : true}
        aria-disabled={!press.can}
        aria-describedby={press.hint ? described : undefined}
        aria-haspopup={confirm || targets.length > 1 ? 'dialog' : undefined}
        loading={busy}
        onClick={go}
      >
        {label}
        {press.hint && (
          <VisuallyHidden id={described} aria-hidden>
            {press.hint}
          </VisuallyHidden>
        )}
      </Button>
    </Tooltip>
  )
}
