import { Page } from '~/ui/Page'

export default function GuestPage() {
  return (
    <Page title="Guest">
      <span />
    </Page>
  )
}
