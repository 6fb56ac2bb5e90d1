import { Anchor } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { Empty } from '~/ui/Empty'
import { Page } from '~/ui/Page'

export function NoSuchPage() {
  return (
    <Page title="No such page">
      <Empty title="There is nothing at this address" action={<Anchor component={Link} to="/">To the overview</Anchor>}>
        Muster’s console has no page here. What you may not see looks the same.
      </Empty>
    </Page>
  )
}
