/** An empty list, and why it is empty: nothing fits the filter, nothing is known yet, or there is nothing. */
import { Anchor, Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useMay, useSession } from '~/shell/session'
import { Empty } from '~/ui/Empty'
import { NoGrants } from '~/ui/NoGrants'
import type { RemoteCounts } from './Partial'
import { isAboutQuery } from './refused'

export interface NothingFitsProps {
  /** What the list is of: `guests`. */
  what: string
  q: string
  remotes: RemoteCounts | undefined
  /** Why the list could not be had. */
  error: unknown
  onClear: () => void
}

export function NothingFits({ what, q, remotes, error, onClear }: NothingFitsProps) {
  const governs = useMay('administrator', null)
  const session = useSession()
  if (q !== '' && isAboutQuery(error)) {
    return (
      <Empty
        title="This filter is not understood"
        action={
          <Button variant="default" size="sm" onClick={onClear}>
            Clear the filter
          </Button>
        }
      >
        {`What is wrong is said where it is written. No ${what} were looked for.`}
      </Empty>
    )
  }
  if (q !== '') {
    return (
      <Empty
        title={`No ${what} fit this filter`}
        action={
          <Button variant="default" size="sm" onClick={onClear}>
            Clear the filter
          </Button>
        }
      >
        A filter finds only what is known: what has no known value of a key is found neither with it nor without.
      </Empty>
    )
  }
  if (session.grants.length === 0) return <NoGrants />
  if (remotes?.total === 0) {
    return (
      <Empty
        title="No remotes yet"
        action={
          governs && (
            <Button component={Link} to="/add-remote" size="sm">
              Add a remote
            </Button>
          )
        }
      >
        {governs ? `Add a Proxmox VE host or cluster, and its ${what} appear here.` : 'There is none that you may see.'}
      </Empty>
    )
  }
  if (remotes && remotes.never_listed === remotes.total) {
    return (
      <Empty
        title="Nothing is known yet"
        action={
          <Anchor component={Link} to="/remotes" size="sm">
            See how the remotes fare
          </Anchor>
        }
      >
        {`None of the remotes was listed so far. Its ${what} appear as soon as one answers.`}
      </Empty>
    )
  }
  return <Empty title={`There are no ${what}`}>{`What is reached has no ${what}.`}</Empty>
}
