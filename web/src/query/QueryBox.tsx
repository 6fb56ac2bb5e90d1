/** The query box: what is written filters the list, with suggestions while writing and the error under its place. */
import { ActionIcon, Tooltip } from '@mantine/core'
import { IconFilter, IconX } from '@tabler/icons-react'
import { useEffect, useId, useRef, useState } from 'react'
import { Refusal } from '~/api/client'
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
  /** Why the list could not be had: shown here when it is about the query. */
  error?: unknown
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

/** Whether a failure is about how the query is written. */
export function isAboutQuery(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === 'query'
}

interface Written {
  text: string
  /** What the address said last. */
  q: string
  /** What was sent to it and did not come back yet. */
  sent: readonly string[]
}

export function QueryBox({ list, q, onChange, error }: QueryBoxProps) {
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

  // `/` leads here from anywhere on the page.
  useEffect(() => {
    const jump = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const target = event.target
      if (target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName))) return
      event.preventDefault()
      box.current?.focus()
      box.current?.select()
    }
    document.addEventListener('keydown', jump)
    return () => document.removeEventListener('keydown', jump)
  }, [])

  const suggestions = useSuggestions(list, text, at)
  const open = suggestions.length > 0
  const chosen = open ? suggestions[Math.min(active, suggestions.length - 1)] : undefined
  const wrong = isAboutQuery(error) && !dirty ? error.problem : undefined
  const place = wrong?.at ? split(text, wrong.at) : undefined

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
      if (open) {
        event.preventDefault()
        setAt(undefined)
      } else if (text !== '') clear()
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
            aria-describedby={wrong ? `${id}-wrong` : undefined}
            aria-keyshortcuts="/"
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
      {wrong && !open && (
        <div id={`${id}-wrong`} role="alert" className={classes.wrong} data-overlay>
          {place && (
            <div className={classes.caret} aria-hidden>
              <span>{place[0]}</span>▲
            </div>
          )}
          <div>
            {wrong.detail}
            {wrong.remedy && <span className={classes.what}> – {wrong.remedy}</span>}
          </div>
        </div>
      )}
    </div>
  )
}
