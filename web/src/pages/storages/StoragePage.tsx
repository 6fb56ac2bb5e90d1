import { Page } from '~/ui/Page'

export default function StoragePage() {
  return (
    <Page title="Storage">
      <span />
    </Page>
  )
}
