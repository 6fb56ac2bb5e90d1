/** The guests that would be acted on, each with its state and what stands in the way. */
import { Group, Text } from '@mantine/core'
import { Fresh } from '~/ui/Fresh'
import { GuestState } from '~/ui/State'
import classes from './actions.module.css'
import { doubt } from './decide'
import type { PlanItem } from './server'

export function PlanList({ items }: { items: readonly PlanItem[] }) {
  const out = items.filter((item) => item.availability.availability === 'disabled').length
  return (
    <div>
      <ul className={classes.items} aria-label="Guests" style={{ maxHeight: '38vh', overflowY: 'auto' }}>
        {items.map((item) => (
          <Item key={`${item.target.remote}/${item.target.vmid}`} item={item} />
        ))}
      </ul>
      {out > 0 && items.length > 1 && (
        <Text size="sm" className="quiet" mt={4}>
          {out} of {items.length} will be left out, for the reasons given.
        </Text>
      )}
    </div>
  )
}

function Item({ item }: { item: PlanItem }) {
  const { availability } = item
  return (
    <li data-out={availability.availability === 'disabled' || undefined}>
      <div className={classes.what}>
        <Text size="sm" fw={600} className="name" lineClamp={2}>
          {item.name ?? item.target.vmid}
        </Text>
        <Text size="xs" className="quiet">
          <bdi>{item.remote}</bdi>/{item.target.vmid}
          {item.node && (
            <>
              {' on node '}
              <bdi>{item.node}</bdi>
            </>
          )}
        </Text>
      </div>
      <Group gap="xs" className={classes.beside} wrap="nowrap">
        <Text component="span" size="sm">
          <GuestState word={item.word} />
        </Text>
        {item.freshness && <Fresh freshness={item.freshness} observedAt={item.observedAt} why={item.why} />}
      </Group>
      {availability.availability === 'disabled' && (
        <Text size="xs" className={classes.below}>
          Not now: {availability.reason}. {availability.remedy}
        </Text>
      )}
      {availability.availability === 'may_fail' && (
        <Text size="xs" className={classes.below} c="var(--muster-warn)">
          May fail: {doubt(availability.why)}
        </Text>
      )}
    </li>
  )
}
