/** For a person without any role: nothing is empty, nothing may be seen. */
import { Empty } from './Empty'

export function NoGrants() {
  return <Empty title="Nothing may be seen">No role was granted to you. Ask an administrator for one.</Empty>
}
