/** Roles and where they hold: shown in words, and edited row by row. */
import { ActionIcon, Button, Group, Select, Stack, Text, Tooltip } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { useRemoteNames } from '~/pages/remotes/useRemotes'
import { faultOf, type Grant, inWords, type NameOf, ROLES } from './roles'

export function useNameOf(): NameOf {
  const { data } = useRemoteNames()
  // One that was removed, or may not be seen, still has its number.
  return (remote) => data?.find(({ id }) => id === remote)?.name ?? `remote ${remote}`
}

export function Grants({ grants }: { grants: readonly Grant[] }) {
  const nameOf = useNameOf()
  return <span className="name">{inWords(grants, nameOf)}</span>
}

const EVERYWHERE = 'all'

export interface GrantsEditorProps {
  value: readonly Grant[]
  change: (to: Grant[]) => void
}

export function GrantsEditor({ value, change }: GrantsEditorProps) {
  const remotes = useRemoteNames()
  const nameOf = useNameOf()
  const known = remotes.data ?? []
  const scopes = value.flatMap(({ scope }) => (scope.kind === 'remote' ? [scope.value] : []))
  const strangers = [...new Set(scopes)].filter((id) => !known.some((one) => one.id === id))
  const places = [
    { value: EVERYWHERE, label: 'everywhere' },
    ...known.map(({ id, name }) => ({ value: String(id), label: `on ${name}` })),
    ...strangers.map((id) => ({ value: String(id), label: `on ${nameOf(id)}` })),
  ]
  const put = (index: number, to: Grant) => change(value.map((grant, at) => (at === index ? to : grant)))
  const fault = faultOf(value)
  return (
    <Stack gap="xs" role="group" aria-label="Roles">
      {value.map((grant, index) => (
        <Group key={index} gap="xs" wrap="nowrap" align="flex-start">
          <Select
            aria-label={`Role ${index + 1}`}
            data={ROLES.map(({ role }) => role)}
            value={grant.role}
            onChange={(role) => put(index, { ...grant, role: role ?? grant.role })}
            allowDeselect={false}
            checkIconPosition="right"
            renderOption={({ option }) => (
              <div>
                <div>{option.label}</div>
                <Text size="xs" className="quiet">
                  {ROLES.find(({ role }) => role === option.value)?.may}
                </Text>
              </div>
            )}
            comboboxProps={{ width: 280, position: 'bottom-start' }}
            style={{ flex: 1 }}
          />
          <Select
            aria-label={`Where role ${index + 1} holds`}
            data={places}
            value={grant.scope.kind === 'all' ? EVERYWHERE : String(grant.scope.value)}
            onChange={(place) =>
              put(index, {
                ...grant,
                scope: place === null || place === EVERYWHERE ? { kind: 'all' } : { kind: 'remote', value: Number(place) },
              })
            }
            allowDeselect={false}
            searchable={places.length > 8}
            limit={200}
            nothingFoundMessage="No such remote"
            style={{ flex: 1 }}
          />
          <Tooltip label="Take this role away">
            <ActionIcon
              variant="subtle"
              color="gray"
              size={36}
              aria-label={`Take role ${index + 1} away`}
              onClick={() => change(value.filter((_, at) => at !== index))}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Tooltip>
        </Group>
      ))}
      {value.length === 0 && (
        <Text size="sm" className="quiet">
          No role: signs in, and sees nothing.
        </Text>
      )}
      {fault && (
        <Text size="sm" c="red" role="alert">
          {fault}
        </Text>
      )}
      <Group>
        <Button
          size="compact-sm"
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => change([...value, { role: 'viewer', scope: { kind: 'all' } }])}
        >
          Add a role
        </Button>
      </Group>
    </Stack>
  )
}
