import { Page } from '~/ui/Page'

export default function NodesPage() {
  return (
    <Page title="Nodes">
      <span />
    </Page>
  )
}
