import { Page } from '~/ui/Page'

export default function RemotesPage() {
  return (
    <Page title="Remotes">
      <span />
    </Page>
  )
}
