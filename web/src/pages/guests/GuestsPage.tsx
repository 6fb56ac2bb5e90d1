import { Page } from '~/ui/Page'

export default function GuestsPage() {
  return (
    <Page title="Guests">
      <span />
    </Page>
  )
}
