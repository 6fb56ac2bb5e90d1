/** The same wish as a command and as calls, to be taken into a script. */
import { Button, Code, Collapse, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Copy } from '~/ui/Id'
import type { PlanItem } from './server'

export function ShowAs({ items }: { items: readonly PlanItem[] | undefined }) {
  const [open, shown] = useDisclosure(false)
  const known = items?.flatMap((item) => item.showAs ?? []) ?? []
  if (known.length === 0) return null
  const first = known[0]
  return (
    <div>
      <Button size="compact-sm" variant="subtle" color="gray" onClick={shown.toggle} aria-expanded={open} px={4}>
        Show as command
      </Button>
      <Collapse expanded={open}>
        <Stack gap="xs" pt={6}>
          <Line what="command" label="Command" text={known.map((one) => one.command).join('\n')} />
          {first && known.length === 1 && (
            <>
              <Line what="call of Muster" label="Muster’s API" text={callText(first.api.method, first.api.path, first.api.body)} />
              <Line what="call of Proxmox VE" label="Proxmox VE’s API" text={callText(first.call.method, first.call.path, first.call.parameters)} />
            </>
          )}
        </Stack>
      </Collapse>
    </div>
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
