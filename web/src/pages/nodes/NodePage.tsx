import { Page } from '~/ui/Page'

export default function NodePage() {
  return (
    <Page title="Node">
      <span />
    </Page>
  )
}
