/** Commands for a shell, to be copied. */
import { Code } from '@mantine/core'
import { Copy } from '~/ui/Id'
import classes from './remotes.module.css'

export function Command({ lines }: { lines: readonly string[] }) {
  const text = lines.join('\n')
  return (
    <div className={classes.command}>
      <Code block>{text}</Code>
      <Copy text={text} what="commands" />
    </div>
  )
}
