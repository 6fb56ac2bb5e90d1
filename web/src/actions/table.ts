/** What can be done to a guest's power, as data: words, icons, what is asked before, what may be lost, what may be said beside it. */
import {
  IconBolt,
  IconHelp,
  IconMoonStars,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerSkipForward,
  IconPlayerStop,
  IconPower,
  IconRefresh,
} from '@tabler/icons-react'
import type { Action, Schemas } from '~/api/types'
import { capital, words } from '~/format/format'

export type PowerOptions = Schemas['PowerOptions']

export interface Power {
  action: Action
  /** On the button. */
  label: string
  /** In sentences, before the name: `shut down shop-web`. */
  verb: string
  /** In sentences, after `was`: `shop-web was shut down`. */
  done: string
  icon: typeof IconPower
  /** Whether a person is asked before: what runs in it ends. */
  confirm: boolean
  /** What that costs, said before it is done; of one guest and of several. */
  lost?: readonly [one: string, several: string]
  /** Whether what was not written is lost: the button that does it is red. */
  harsh?: boolean
  /** What may be said beside it. */
  options: readonly (keyof PowerOptions)[]
}

/** All of them, in the order in which they are shown. */
export const POWER: readonly Power[] = [
  {
    action: 'start',
    label: 'Start',
    verb: 'start',
    done: 'started',
    icon: IconPlayerPlay,
    confirm: false,
    options: [],
  },
  {
    action: 'shutdown',
    label: 'Shut down',
    verb: 'shut down',
    done: 'shut down',
    icon: IconPower,
    confirm: true,
    lost: [
      'What runs in it is asked to end. What it serves is away until it is started again.',
      'What runs in them is asked to end. What they serve is away until they are started again.',
    ],
    options: ['timeout_seconds', 'force_stop'],
  },
  {
    action: 'reboot',
    label: 'Reboot',
    verb: 'reboot',
    done: 'rebooted',
    icon: IconRefresh,
    confirm: true,
    lost: [
      'What runs in it is asked to end, and it starts again. What it serves is away meanwhile.',
      'What runs in them is asked to end, and they start again. What they serve is away meanwhile.',
    ],
    options: ['timeout_seconds'],
  },
  {
    action: 'stop',
    label: 'Stop',
    verb: 'stop',
    done: 'stopped',
    icon: IconPlayerStop,
    confirm: true,
    lost: [
      'It is switched off at once, as if its plug was pulled: what it has not written to disk is lost.',
      'They are switched off at once, as if their plugs were pulled: what they have not written to disk is lost.',
    ],
    harsh: true,
    options: [],
  },
  {
    action: 'reset',
    label: 'Reset',
    verb: 'reset',
    done: 'reset',
    icon: IconBolt,
    confirm: true,
    lost: [
      'It starts anew at once, as by its reset button: what it has not written to disk is lost.',
      'They start anew at once, as by their reset buttons: what they have not written to disk is lost.',
    ],
    harsh: true,
    options: [],
  },
  {
    action: 'suspend',
    label: 'Suspend',
    verb: 'suspend',
    done: 'suspended',
    icon: IconPlayerPause,
    confirm: false,
    options: [],
  },
  {
    action: 'hibernate',
    label: 'Hibernate',
    verb: 'hibernate',
    done: 'hibernated',
    icon: IconMoonStars,
    confirm: false,
    options: [],
  },
  {
    action: 'resume',
    label: 'Resume',
    verb: 'resume',
    done: 'resumed',
    icon: IconPlayerSkipForward,
    confirm: false,
    options: [],
  },
]

const BY_ACTION = new Map<string, Power>(POWER.map((power) => [power.action, power]))

/** Whether the console knows what an action is. A newer server may have more. */
export function knows(action: string): boolean {
  return BY_ACTION.has(action)
}

/** What is known of an action; of one that a newer server has, its name. */
export function power(action: Action): Power {
  const verb = words(action)
  return (
    BY_ACTION.get(action) ?? { action, label: capital(verb), verb, done: `asked to ${verb}`, icon: IconHelp, confirm: true, options: [] }
  )
}

/** When a shutdown ends as a stop, this is lost. */
export const FORCED: readonly [string, string] = [
  'When it has not shut down by then, it is stopped: what it has not written to disk is lost.',
  'Those that have not shut down by then are stopped: what they have not written to disk is lost.',
]
