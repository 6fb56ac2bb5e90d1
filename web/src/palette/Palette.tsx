/** The palette: whatever is written is looked for among pages, deeds and everything in the fleet. */
import { Kbd, Loader, Modal, Text, TextInput } from '@mantine/core'
import { IconSearch } from '@tabler/icons-react'
import { useRouter } from '@tanstack/react-router'
import { useId, useState } from 'react'
import { problemFrom } from '~/api/client'
import { useTheme } from '~/preferences/theme'
import { useSession } from '~/shell/session'
import { useSignOut } from '~/shell/sign-out'
import { type Found, useFound } from './find'
import { type Item, itemsFor } from './items'
import { meant } from './match'
import { dismiss, show } from './open'
import classes from './palette.module.css'

const ALL: readonly (keyof Found)[] = ['guests', 'nodes', 'storages', 'remotes']

export default function Palette() {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState<string>()
  const router = useRouter()
  const session = useSession()
  const [theme, choose] = useTheme()
  const signOut = useSignOut()
  const list = useId()
  const wish = meant(text)
  const { found, pending, error } = useFound(wish.rest, wish.guest ? ['guests'] : wish.remote ? ['remotes'] : ALL)
  const items = itemsFor(wish, found, { router, session, theme, choose, signOut, showKeys: () => show('keys') })
  // What is chosen stays chosen while more is found around it.
  const at = Math.max(0, items.findIndex((item) => item.id === chosen))
  const item = items[at]
  const run = (one: Item) => {
    if (one.why !== undefined) return
    dismissFor(one)
    one.run()
  }
  const move = (to: number) => {
    const next = items[(to + items.length) % items.length]
    setChosen(next?.id)
    if (next) document.getElementById(`${list}-${next.id}`)?.scrollIntoView({ block: 'nearest' })
  }
  const keyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    const step = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: Math.min(at + 8, items.length - 1), PageUp: Math.max(at - 8, 0) }[event.key]
    if (step !== undefined) move(step)
    else if (event.key === 'Enter' && item) run(item)
    else return
    event.preventDefault()
  }
  return (
    <Modal.Root opened onClose={dismiss} centered={false} yOffset="10dvh" size={640} returnFocus={false} transitionProps={{ duration: 0 }}>
      <Modal.Overlay />
      <Modal.Content aria-label="Find anything, or do something">
      <TextInput
        data-autofocus
        variant="unstyled"
        size="lg"
        px="sm"
        placeholder="A page, a guest, “shut down web”, …"
        aria-label="Find anything, or do something"
        leftSection={<IconSearch size={18} />}
        rightSection={pending ? <Loader size={16} aria-label="Looking" /> : undefined}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value)
          setChosen(undefined)
        }}
        onKeyDown={keyDown}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={item ? `${list}-${item.id}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={200}
      />
      <div id={list} role="listbox" aria-label="Found" className={classes.list}>
        {items.map((one, index) => (
          <Option
            key={one.id}
            id={`${list}-${one.id}`}
            item={one}
            heading={one.group !== items[index - 1]?.group}
            selected={index === at}
            hover={() => setChosen(one.id)}
            run={() => run(one)}
          />
        ))}
      </div>
      <div role="status" className={classes.said}>
        {error ? (
          <Text size="sm">Guests, nodes and remotes could not be looked for: {problemFrom(error).detail ?? problemFrom(error).title}</Text>
        ) : items.length === 0 ? (
          <Text size="sm" className="quiet">
            {pending ? 'Looking…' : 'Nothing you may see has all these words.'}
          </Text>
        ) : null}
      </div>
      <div className={classes.foot} aria-hidden>
        <Kbd size="xs">↑</Kbd> <Kbd size="xs">↓</Kbd> choose, <Kbd size="xs">Enter</Kbd> open or do, <Kbd size="xs">Esc</Kbd> close
      </div>
      </Modal.Content>
    </Modal.Root>
  )
}

/** Closes; what leads to another page or opens something takes the focus there, everything else gives it back. */
function dismissFor(item: Item): void {
  if (item.id.startsWith('theme')) dismiss()
  else show(undefined)
}

interface OptionProps {
  id: string
  item: Item
  heading: boolean
  selected: boolean
  hover: () => void
  run: () => void
}

function Option({ id, item, heading, selected, hover, run }: OptionProps) {
  const { icon: Icon, label, hint, keys, why } = item
  return (
    <>
      {heading && (
        <div role="presentation" className={classes.heading}>
          {item.group}
        </div>
      )}
      {/* The keys are heard by the field, which keeps the focus. */}
      {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events */}
      <div
        id={id}
        role="option"
        tabIndex={-1}
        aria-selected={selected}
        aria-disabled={why !== undefined || undefined}
        className={classes.option}
        onMouseMove={selected ? undefined : hover}
        onMouseDown={(event) => event.preventDefault()}
        onClick={run}
      >
        <Icon size={17} stroke={1.7} aria-hidden className={classes.icon} />
        <span className={classes.label}>
          <span className="name cut">{label}</span>
          {(why ?? hint) && <span className={`${classes.hint} cut`}>{why ?? hint}</span>}
        </span>
        {keys && (
          <span className={classes.keys} aria-hidden>
            {keys.map((key, index) => (
              <Kbd key={index} size="xs">
                {key}
              </Kbd>
            ))}
          </span>
        )}
      </div>
    </>
  )
}
