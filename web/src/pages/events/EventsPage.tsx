import { Page } from '~/ui/Page'

export default function EventsPage() {
  return (
    <Page title="Events">
      <span />
    </Page>
  )
}
