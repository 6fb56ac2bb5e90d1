/** What tabs, the hub and the server say to each other about the live stream, and what the hub is given to work with. */
import type { ListSubscription, Session, StreamMessage, Subscriptions, Topic } from '~/api/types'

/** What one tab wants. Lists are under names that the tab chose. */
export interface Wish {
  topics: Topic[]
  lists: Record<string, ListSubscription>
}

/** How the live stream fares. Times are milliseconds since 1970. */
export type Status =
  | { state: 'connecting'; since: number }
  /** The server tells what is wanted, and has just said so. */
  | { state: 'live'; since: number }
  | { state: 'cut'; since: number; why: string; nextTry: number | undefined }

/** From a tab to the hub. */
export type ToHub =
  /** The tab is there, of somebody who is signed in ([whoOf]). Said first, and when it comes back. */
  | { type: 'come'; who: string }
  | { type: 'wish'; wish: Wish }
  /** Says that the tab is still there. */
  | { type: 'here' }
  /** Try now. */
  | { type: 'try' }
  | { type: 'leave' }

/** From the hub to a tab. Times are by the clock of this machine. */
export type FromHub =
  /** The hub knows nothing of this tab: what it was told is void, and what it wants has to be said again. */
  | { type: 'anew' }
  | { type: 'status'; status: Status }
  | { type: 'message'; message: StreamMessage }
  /** These lists of the tab cannot be followed: one stream has a bound, or the server refuses them. */
  | { type: 'unfollowed'; lists: string[] }
  /** The session has ended, or another one has begun. */
  | { type: 'ended' }

/** An open connection. */
export interface Connection {
  close(): void
}

/** What became of telling the server what is wanted. */
export type Outcome =
  /** Events are told after the one of this id, where they were asked for. */
  | { is: 'done'; after?: number | undefined }
  /** The server has no such stream. */
  | { is: 'unknown' }
  /** Something in it will never be taken. */
  | { is: 'refused' }
  | { is: 'failed'; why: string }

/** How the server is spoken with. */
export interface Server {
  /** Opens the stream, after what was last received. `lost`: the connection is gone, for whatever reason. */
  open(last: string | undefined, got: (message: StreamMessage, id: string) => void, lost: () => void): Connection
  /** Says what shall be told. */
  subscribe(stream: string, wanted: Subscriptions): Promise<Outcome>
  /** Whose session stands, and if nobody can tell, why. */
  session(): Promise<{ who: string } | 'ended' | { silent: string }>
}

/** Whose session it is. What one person was told is not for another. */
export function whoOf(session: Session): string {
  return `${session.user} ${session.instance}`
}

/** Time and chance. */
export interface World {
  now(): number
  random(): number
  /** Calls back after so many milliseconds; the answer takes it back. */
  later(ms: number, act: () => void): () => void
}
