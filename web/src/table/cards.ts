/** [useCards]: whether rows are cards, since the screen is too narrow for columns. */
import { useMediaQuery } from '@mantine/hooks'

export function useCards(): boolean {
  return useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
}
