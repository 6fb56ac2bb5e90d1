/** Commands for a shell, to be copied. */
import { Code } from '@mantine/core'
import classes from './command.module.css'
import { Copy } from './Id'

export function Command({ lines }: { lines: readonly string[] }) {
  const text = lines.join('\n')
  return (
    <div className={classes.command}>
      <Code block>{text}</Code>
      <Copy text={text} what={lines.length === 1 ? 'the command' : 'commands'} />
    </div>
  )
}
