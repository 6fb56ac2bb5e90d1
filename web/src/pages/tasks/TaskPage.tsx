import { Page } from '~/ui/Page'

export default function TaskPage() {
  return (
    <Page title="Task">
      <span />
    </Page>
  )
}
