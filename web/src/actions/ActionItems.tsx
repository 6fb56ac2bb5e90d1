/** All power actions of a guest as items of a menu, for rows of lists: what may be done is asked for when the menu opens. */
import { Menu, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { api, problemFrom, unwrap } from '~/api/client'
import { useMay } from '~/shell/session'
import classes from './actions.module.css'
import { availabilityOf, press, type Press } from './decide'
import { operate } from './operate'
import type { Target } from './server'
import { POWER } from './table'

export interface ActionItemsProps {
  /** The remote's number. */
  remote: number
  vmid: number
  name?: string | null | undefined
  node?: string | undefined
}

/** What may be done with a guest, and where else it is found; asked for when it is first needed, such as when a menu opens. */
export function useCapabilities(remote: number, vmid: number) {
  return useQuery({
    queryKey: ['capabilities', remote, vmid],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/guests/{remote}/{vmid}', {
          params: { path: { remote: String(remote), vmid }, query: { look: false } },
          signal,
        }),
      ),
    // It changes with the guest: what another menu was told is old.
    staleTime: 0,
    gcTime: 0,
  })
}

/** To be put into a `Menu.Dropdown`. */
export function ActionItems({ remote, vmid, name, node }: ActionItemsProps) {
  const may = useMay('operator', remote)
  const target: Target = { remote: String(remote), vmid, name, node }
  const asked = useCapabilities(remote, vmid)
  return POWER.map(({ action, label, icon: Icon, confirm }) => {
    const how: Press = asked.isError
      ? { can: false, doubtful: false, hint: problemFrom(asked.error).detail ?? problemFrom(asked.error).title }
      : press(availabilityOf(asked.data, action), may)
    return (
      <Menu.Item
        key={action}
        leftSection={<Icon size={16} stroke={1.8} />}
        rightSection={how.doubtful ? <IconAlertTriangle size={14} className={classes.doubt} aria-hidden /> : undefined}
        data-disabled={how.can ? undefined : true}
        aria-disabled={!how.can}
        closeMenuOnClick={how.can}
        onClick={() => how.can && void operate({ action, targets: [target] })}
      >
        {label}
        {confirm && how.can ? '…' : ''}
        {how.hint && !(may && asked.isPending) && (
          <Text size="xs" className={classes.hint}>
            {how.hint}
          </Text>
        )}
      </Menu.Item>
    )
  })
}
