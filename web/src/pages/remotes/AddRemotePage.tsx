import { Page } from '~/ui/Page'

export default function AddRemotePage() {
  return (
    <Page title="Add a remote">
      <span />
    </Page>
  )
}
