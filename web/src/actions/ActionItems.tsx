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

/** To be put into a `Menu.Dropdown`. */
export function ActionItems({ remote, vmid, name, node }: ActionItemsProps) {
  const may = useMay('operator', remote)
  const target: Target = { remote: String(remote), vmid, name, node }
  const asked = useQuery({
    queryKey: ['capabilities', remote, vmid],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/guests/{remote}/{vmid}', {
          params: { path: { remote: String(remote), vmid }, query: { look: false } },
          signal,
        }),
      ),
    // What may be done changes with the guest: it is asked for whenever the menu opens.
    staleTime: 0,
    gcTime: 0,
  })
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
