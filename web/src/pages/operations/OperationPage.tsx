import { Page } from '~/ui/Page'

export default function OperationPage() {
  return (
    <Page title="Operation">
      <span />
    </Page>
  )
}
