/** The query box: what is written filters the list, with suggestions while writing, and a mark under what is wrong. */
import { ActionIcon, Tooltip } from '@mantine/core'
import { IconFilter, IconX } from '@tabler/icons-react'
import { useEffect, useId, useRef, useState } from 'react'
import type { Problem } from '~/api/types'
import classes from './QueryBox.module.css'
import { type Suggestion, take } from './complete'
import { split } from './spans'
import { useSuggestions } from './suggestions'
import type { ListName } from './vocabulary'

export interface QueryBoxProps {
  list: ListName
  /** The query of the address. */
  q: string
  onChange: (q: string) => void
  /** What is wrong with it: the place is marked here. */
  wrong?: Problem | undefined
  /** The id of what says it in words. */
  described?: string | undefined
}

/** From the last key to the question. */
const PAUSE_MS = 110

/** What may be written, for who does not know yet. */
const EXAMPLE: Record<ListName, string> = {
  guests: 'status:running cpu>80%',
  nodes: 'status:offline mem>90%',
  storages: 'type:nfs disk>85%',
  tasks: 'status:failed age<1d',
  operations: 'status:failed user:anna',
  remotes: 'link:down',
}

interface Written {
  text: string
  /** What the address said last. */
  q: string
  /** What was sent to it and did not come back yet. */
  sent: readonly string[]
}

export function QueryBox({ list, q, onChange, wrong, described }: QueryBoxProps) {
  const id = useId()
  const box = useRef<HTMLInputElement>(null)
  const mirror = useRef<HTMLDivElement>(null)
  const [written, setWritten] = useState<Written>({ text: q, q, sent: [] })
  const [at, setAt] = useState<number | undefined>(undefined)
  const [active, setActive] = useState(-1)
  const { text } = written
  if (written.q !== q) {
    // What comes back of one's own writing changes nothing; what comes from elsewhere (a chip, "back") does.
    const own = written.sent.indexOf(q)
    setWritten(own < 0 ? { text: q, q, sent: [] } : { text, q, sent: written.sent.slice(own + 1) })
  }
  const dirty = text !== (written.sent.at(-1) ?? written.q)
  // Somebody is about to write a value: nobody wants to hear that it is missing.
  const unfinished = at !== undefined && /[:~<>=,]$/.test(text)
  useEffect(() => {
    if (!dirty || unfinished) return
    const timer = setTimeout(() => {
      setWritten((had) => ({ ...had, sent: [...had.sent, text] }))
      onChange(text)
    }, PAUSE_MS)
    return () => clearTimeout(timer)
  }, [dirty, unfinished, text, onChange])

  const suggestions = useSuggestions(list, text, at)
  const open = suggestions.length > 0
  const chosen = open ? suggestions[Math.min(active, suggestions.length - 1)] : undefined
  // What is being written is not what was asked.
  const place = wrong?.at && !dirty ? split(text, wrong.at) : undefined

  const write = (to: string, cursor: number | undefined) => {
    setWritten((had) => ({ ...had, text: to }))
    setAt(cursor)
    setActive(-1)
  }
  const accept = (suggestion: Suggestion) => {
    const taken = take(text, suggestion)
    write(taken.q, /[:<>=~]$/.test(suggestion.text) ? taken.at : undefined)
    requestAnimationFrame(() => {
      box.current?.focus()
      box.current?.setSelectionRange(taken.at, taken.at)
    })
  }
  const clear = () => {
    setWritten((had) => ({ ...had, text: '', sent: [...had.sent, ''] }))
    setAt(undefined)
    onChange('')
    box.current?.focus()
  }

  const keys = (event: React.KeyboardEvent<HTMLInputElement>) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) {
      event.preventDefault()
      if (!open) setAt(event.currentTarget.selectionStart ?? text.length)
      else setActive((had) => (had + step + suggestions.length + (had < 0 && step < 0 ? 1 : 0)) % suggestions.length)
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      if (chosen && active >= 0) {
        event.preventDefault()
        accept(chosen)
      } else if (event.key === 'Enter') {
        setAt(undefined)
        if (text !== q) {
          setWritten((had) => ({ ...had, sent: [...had.sent, text] }))
          onChange(text)
        }
      }
    } else if (event.key === 'Escape') {
      // Who wants out wants to keep the filter: nothing would bring it back.
      event.preventDefault()
      if (open) setAt(undefined)
      else box.current?.blur()
    }
  }
  const follow = (event: { currentTarget: HTMLInputElement }) => {
    if (mirror.current) mirror.current.scrollLeft = event.currentTarget.scrollLeft
  }

  return (
    <div className={classes.wrap} role="search">
      <div className={classes.box} data-wrong={wrong !== undefined || undefined}>
        <IconFilter size={16} stroke={1.7} className={classes.icon} aria-hidden />
        <div className={classes.field}>
          <div ref={mirror} className={classes.mirror} aria-hidden>
            {place && (
              <>
                {place[0]}
                <mark>{place[1]}</mark>
                {place[2]}
              </>
            )}
          </div>
          <input
            ref={box}
            className={classes.input}
            type="text"
            role="combobox"
            aria-label={`Filter ${list}`}
            aria-expanded={open}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={open && active >= 0 ? `${id}-${active}` : undefined}
            aria-invalid={wrong !== undefined}
            aria-describedby={wrong && described}
            aria-keyshortcuts="/"
            data-search
            placeholder={`A name, or ${EXAMPLE[list]} …`}
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="none"
            dir="auto"
            value={text}
            onChange={(event) => write(event.currentTarget.value, event.currentTarget.selectionStart ?? undefined)}
            onClick={(event) => setAt(event.currentTarget.selectionStart ?? undefined)}
            onBlur={() => setAt(undefined)}
            onKeyDown={keys}
            onScroll={follow}
            onSelect={follow}
          />
        </div>
        {text === '' ? (
          <kbd className={classes.key} aria-hidden>
            /
          </kbd>
        ) : (
          <Tooltip label="Clear the filter">
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Clear the filter" onClick={clear}>
              <IconX size={14} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      {open && (
        <ul
          id={`${id}-list`}
          role="listbox"
          aria-label="Suggestions"
          className={classes.list}
          ref={(element) => {
            element?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
          }}
        >
          {suggestions.map((suggestion, index) => (
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- the keys are those of the box
            <li
              key={`${suggestion.text} ${index}`}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              className={classes.option}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => accept(suggestion)}
            >
              <bdi className="mono">{suggestion.text}</bdi>
              {suggestion.what && <span className={classes.what}>{suggestion.what}</span>}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
