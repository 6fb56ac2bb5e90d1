/** The link to one remote: as the stream tells it, and asked for while it tells nothing. */
import { useQuery } from '@tanstack/react-query'
import type { Link } from '~/api/types'
import { useLink } from '~/live/hooks'
import { remoteQuery } from './useRemote'

const AGAIN_MS = 10_000

export function useLinkOf(remote: number | undefined): Link | undefined {
  const told = useLink(remote)
  const asked = useQuery({ ...remoteQuery(String(remote)), enabled: remote !== undefined && told === undefined, refetchInterval: AGAIN_MS })
  return remote === undefined ? undefined : (told?.link ?? asked.data?.link)
}
