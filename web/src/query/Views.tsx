/** Saved views of a list: a name for a query, an order and columns. */
import { ActionIcon, Button, Group, Popover, Stack, Text, TextInput, Tooltip, UnstyledButton } from '@mantine/core'
import { IconBookmark, IconBookmarkFilled, IconTrash } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { problemFrom } from '~/api/client'
import { preferencesQuery, type SavedView, sayUnkept, useChangePreferences, usePreferences } from '~/preferences/preferences'
import classes from './Views.module.css'

export interface ViewsProps {
  list: string
  q: string
  sort: string
  onPick: (view: { q: string; sort: string }) => void
}

function same(one: SavedView, other: SavedView): boolean {
  return one.list === other.list && one.name === other.name
}

/** A view of this name takes the place of one that had it. */
export function withView(views: readonly SavedView[], view: SavedView): SavedView[] {
  return views.some((one) => same(one, view)) ? views.map((one) => (same(one, view) ? view : one)) : [...views, view]
}

/** Without the one of this name. */
export function withoutView(views: readonly SavedView[], view: SavedView): SavedView[] {
  return views.filter((one) => !same(one, view))
}

export function Views({ list, q, sort, onPick }: ViewsProps) {
  const [open, setOpen] = useState(false)
  const queries = useQueryClient()
  const preferences = usePreferences()
  const change = useChangePreferences()
  const [name, setName] = useState('')
  const [failed, setFailed] = useState<string | undefined>(undefined)
  const views = (preferences.views ?? []).filter((view) => view.list === list)
  const now = views.find((view) => (view.q ?? '') === q && (view.sort ?? '') === sort)

  const put = async (step: (views: readonly SavedView[]) => SavedView[]) => {
    setFailed(undefined)
    try {
      // All of them are sent: those of another window, or that could not be read before, shall not go.
      const { views: now = [] } = await queries.fetchQuery({ ...preferencesQuery, staleTime: 0 })
      await change({ views: step(now) })
      return true
    } catch (error) {
      const problem = problemFrom(error)
      setFailed([problem.detail ?? problem.title, problem.remedy].filter(Boolean).join('. '))
      return false
    }
  }
  const save = async (event: FormEvent) => {
    event.preventDefault()
    const called = name.trim()
    if (called === '') return
    const columns = preferences.lists?.[list]?.columns
    const view: SavedView = { name: called, list, q, ...(sort ? { sort } : {}), ...(columns ? { columns } : {}) }
    if (await put((had) => withView(had, view))) setName('')
  }
  const pick = (view: SavedView) => {
    setOpen(false)
    if (view.columns) void change({ lists: { [list]: { columns: view.columns } } }).catch(sayUnkept)
    onPick({ q: view.q ?? '', sort: view.sort ?? '' })
  }
  const replaces = views.some((view) => view.name === name.trim())

  return (
    <Popover opened={open} onChange={setOpen} position="bottom-end" withinPortal trapFocus shadow="md" width={320}>
      <Popover.Target>
        <Tooltip label={now ? `Saved view: ${now.name}` : 'Saved views'}>
          <ActionIcon variant="default" size="input-sm" aria-label="Saved views" aria-expanded={open} onClick={() => setOpen(!open)}>
            {now ? <IconBookmarkFilled size={18} /> : <IconBookmark size={18} stroke={1.7} />}
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label="Saved views">
        <Stack gap="xs">
          {views.length === 0 ? (
            <Text size="sm" className="quiet">
              No saved views yet. A view keeps the filter, the order and the columns under a name.
            </Text>
          ) : (
            <Stack gap={2} component="ul" m={0} p={0} className={classes.views}>
              {views.map((view) => (
                <Group key={view.name} component="li" gap={4} wrap="nowrap">
                  <UnstyledButton className={classes.view} aria-current={view === now ? true : undefined} onClick={() => pick(view)}>
                    <span className={`cut ${classes.name}`}>
                      <bdi>{view.name}</bdi>
                    </span>
                    <span className={`cut mono ${classes.q}`}>
                      <bdi>{[view.q, view.sort && `sorted by ${view.sort}`].filter(Boolean).join(' · ') || 'everything'}</bdi>
                    </span>
                  </UnstyledButton>
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    size="sm"
                    aria-label={`Delete the view ${view.name}`}
                    onClick={() => void put((had) => withoutView(had, view))}
                  >
                    <IconTrash size={14} />
                  </ActionIcon>
                </Group>
              ))}
            </Stack>
          )}
          <form onSubmit={(event) => void save(event)}>
            <Group gap="xs" wrap="nowrap" align="flex-end">
              <TextInput
                label="Save what is shown as"
                size="xs"
                style={{ flex: 1 }}
                maxLength={80}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                error={failed}
              />
              <Button type="submit" size="xs" disabled={name.trim() === ''}>
                {replaces ? 'Replace' : 'Save'}
              </Button>
            </Group>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
