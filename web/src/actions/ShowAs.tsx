/** The same wish as a command and as calls, to be taken into a script. */
import { Button, Code, Collapse, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Copy } from '~/ui/Id'
import type { PlanItem, ShowAs } from './server'

/** Behind a button: of one guest all three, of several the commands. */
export function ShowAsOf({ items }: { items: readonly PlanItem[] | undefined }) {
  const known = items?.flatMap((item) => item.showAs ?? []) ?? []
  const [first] = known
  if (!first) return null
  const commands = known.flatMap((one) => one.command ?? [])
  return (
    <Unfolded>
      {known.length === 1 ? (
        <ShownAs as={first} />
      ) : commands.length > 0 ? (
        <Line what="commands" label="On the command line" text={commands.join('\n')} />
      ) : (
        <Text size="sm" className="quiet">
          The command line cannot say this.
        </Text>
      )}
    </Unfolded>
  )
}

function Unfolded({ children }: { children: React.ReactNode }) {
  const [open, shown] = useDisclosure(false)
  return (
    <div>
      <Button size="compact-sm" variant="subtle" color="gray" onClick={shown.toggle} aria-expanded={open} px={4}>
        Show as command
      </Button>
      <Collapse expanded={open}>{children}</Collapse>
    </div>
  )
}

/** As a command, as a request to Muster, as a call of Proxmox VE. */
export function ShownAs({ as }: { as: ShowAs }) {
  return (
    <Stack gap="xs" pt={6}>
      {as.command != null && <Line what="command" label="On the command line" text={as.command} />}
      <Line what="request" label="To Muster’s API" text={callText(as.api.method, as.api.path, as.api.body)} />
      {as.call && <Line what="call" label="What Muster asks Proxmox VE" text={callText(as.call.method, as.call.path, as.call.parameters)} />}
    </Stack>
  )
}

function callText(method: string, path: string, body: unknown): string {
  const empty = body == null || (typeof body === 'object' && Object.keys(body).length === 0)
  return empty ? `${method} ${path}` : `${method} ${path}\n${JSON.stringify(body)}`
}

/** One text to copy. */
export function Line({ what, label, text }: { what: string; label: string; text: string }) {
  return (
    <div>
      <Text size="xs" className="quiet">
        {label}
      </Text>
      <Group gap={4} wrap="nowrap" align="flex-start">
        <Code block style={{ flex: 1, whiteSpace: 'pre-wrap', maxHeight: 160, overflowY: 'auto' }}>
          {text}
        </Code>
        <Copy text={text} what={what} />
      </Group>
    </div>
  )
}
