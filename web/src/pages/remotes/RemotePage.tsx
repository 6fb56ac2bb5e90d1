import { Page } from '~/ui/Page'

export default function RemotePage() {
  return (
    <Page title="Remote">
      <span />
    </Page>
  )
}
