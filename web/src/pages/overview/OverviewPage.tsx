/** The fleet at a glance: what is wrong first, then what there is, and what goes on. */
import { Skeleton, Stack } from '@mantine/core'
import { FirstRemote } from '../remotes/FirstRemote'
import { Page } from '~/ui/Page'
import { ProblemView } from '~/ui/Problem'
import { Capacity } from './Capacity'
import { Guests, Remotes } from './Inventory'
import classes from './overview.module.css'
import { Problems } from './Problems'
import { RunningOperations, RunningTasks } from './Running'
import { useGlance } from './useGlance'

export default function OverviewPage() {
  const { overview, error, again, staleSince } = useGlance()
  const stale = staleSince !== undefined
  if (!overview) {
    return <Page title="Overview">{error ? <ProblemView error={error} again={again} /> : <Waiting />}</Page>
  }
  if (overview.remotes.total === 0) {
    return (
      <Page title="Overview">
        <FirstRemote />
      </Page>
    )
  }
  return (
    <Page title="Overview">
      <div className={stale ? `${classes.page} stale` : classes.page}>
        <div className={classes.wide}>
          <Stack gap={12}>
            {stale && <ProblemView error={error} again={again} title="What is shown could not be read anew" />}
            <Problems overview={overview} staleSince={staleSince} />
          </Stack>
        </div>
        <Remotes remotes={overview.remotes} nodes={overview.nodes} />
        <Guests guests={overview.guests} />
        <Capacity capacity={overview.capacity} />
        <RunningOperations running={overview.running} />
        <RunningTasks running={overview.running} remotes={overview.remotes.total} />
      </div>
    </Page>
  )
}

function Waiting() {
  return (
    <Stack aria-busy aria-label="The overview is being read">
      <Skeleton height={120} />
      <div className={classes.page}>
        <Skeleton height={200} />
        <Skeleton height={200} />
        <Skeleton height={200} />
      </div>
    </Stack>
  )
}
