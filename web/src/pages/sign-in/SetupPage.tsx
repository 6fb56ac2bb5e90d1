import { Page } from '~/ui/Page'

export default function SetupPage() {
  return (
    <Page title="Set up Muster">
      <span />
    </Page>
  )
}
