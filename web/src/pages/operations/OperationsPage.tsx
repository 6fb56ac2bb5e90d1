import { Page } from '~/ui/Page'

export default function OperationsPage() {
  return (
    <Page title="Operations">
      <span />
    </Page>
  )
}
