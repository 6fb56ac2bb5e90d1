/** What there is, by state; each state leads to the list of those that are in it. */
import { Stack, Text, Title } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Schemas } from '~/api/types'
import { count, many, words } from '~/format/format'
import { AnchorLink } from '~/ui/AnchorLink'
import { Panel } from '~/ui/Panel'
import { GuestState, LinkState, NodeState } from '~/ui/State'
import { states, term } from './decide'
import classes from './overview.module.css'

export function Remotes({ remotes, nodes }: { remotes: Schemas['RemotesAtAGlance']; nodes: Schemas['NodesAtAGlance'] }) {
  return (
    <Panel title="Remotes" beside={<All to="/remotes" number={remotes.total} />}>
      <ul className={classes.states}>
        {states(remotes.links).map(([state, number]) => (
          <Line key={state} to="/remotes" q={term('link', state)} number={number}>
            <LinkState state={state} />
          </Line>
        ))}
      </ul>
      <Stack gap={4}>
        <Title order={3}>Nodes</Title>
        {nodes.total === 0 ? (
          <Text size="sm" className="quiet">
            None was listed yet.
          </Text>
        ) : (
          <ul className={classes.states}>
            {states(nodes.states).map(([state, number]) => (
              <Line key={state} to="/nodes" q={term('status', state)} number={number}>
                <NodeState state={state} />
              </Line>
            ))}
          </ul>
        )}
      </Stack>
    </Panel>
  )
}

export function Guests({ guests }: { guests: Schemas['GuestsAtAGlance'] }) {
  return (
    <Panel title="Guests" beside={<All to="/guests" number={guests.total} />}>
      {guests.total === 0 && (
        <Text size="sm" className="quiet">
          No guest is known.
        </Text>
      )}
      <ul className={classes.states}>
        {states(guests.states).map(([state, number]) => (
          <Line key={state} to="/guests" q={term('status', state)} number={number} beside={kinds(guests, state)}>
            <GuestState word={words(state)} />
          </Line>
        ))}
      </ul>
      <Stack gap={2}>
        {guests.stale > 0 && (
          <AnchorLink size="sm" to="/guests" search={{ q: 'fresh:stale' }}>
            {many(guests.stale, 'guest')} shown as last seen
          </AnchorLink>
        )}
        {guests.templates > 0 && (
          <AnchorLink size="sm" to="/guests" search={{ q: 'template:yes' }}>
            {many(guests.templates, 'template')} among them
          </AnchorLink>
        )}
      </Stack>
    </Panel>
  )
}

/** How many of a state are containers, and how many machines. */
function kinds({ by_type: types }: Schemas['GuestsAtAGlance'], state: string): string {
  const ct = types.ct?.[state] ?? 0
  const vm = types.vm?.[state] ?? 0
  return [ct > 0 && `${count(ct)} CT`, vm > 0 && `${count(vm)} VM`].filter(Boolean).join(', ')
}

function All({ to, number }: { to: '/remotes' | '/guests'; number: number }) {
  return (
    <AnchorLink size="sm" to={to} className="figures">
      all {count(number)}
    </AnchorLink>
  )
}

interface LineProps {
  to: '/remotes' | '/guests' | '/nodes'
  q: string
  number: number
  beside?: string
  children: ReactNode
}

function Line({ to, q, number, beside, children }: LineProps) {
  return (
    <li>
      <Link to={to} search={{ q }} className={classes.state}>
        {children}
        <span className="figures">
          {beside && <span className="quiet">{beside} · </span>}
          <b>{count(number)}</b>
        </span>
      </Link>
    </li>
  )
}
