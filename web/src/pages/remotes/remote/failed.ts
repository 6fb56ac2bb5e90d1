/** Tells of a failure that has no form to stand in. */
import { notifications } from '@mantine/notifications'
import { problemFrom } from '~/api/client'

export function failed(title: string): (error: unknown) => void {
  return (error) => {
    const problem = problemFrom(error)
    const message = `${problem.detail ?? problem.title} ${problem.remedy ?? ''}`.trim()
    notifications.show({ color: 'red', title, message, autoClose: false })
  }
}
