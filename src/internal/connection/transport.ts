import type { Effect } from "effect"
import type { ConnectionFailed, DbError } from "../../Errors.js"
import type { Tenure } from "./tenure.js"

/** Why a request is taken back, by whether it has left, and by its method. */
export type Reason = (sent: boolean, method: string) => DbError

/** What carries the requests of one connection: a socket, or in a user's specs a handler. */
export interface Transport {
  readonly fetch: typeof globalThis.fetch
  readonly open: Effect.Effect<void, ConnectionFailed>
  readonly ping: Effect.Effect<void, unknown>
  readonly close: (reason: Reason) => Effect.Effect<void>
  /** Fails what is under way, at once. */
  readonly abortAll: (reason: Reason) => void
  readonly isOpen: boolean
  /** Whether a request is under way, here or on a spare connection. */
  readonly isBusy: boolean
  /** Whether one is under way here. */
  readonly isSending: boolean
  /** When the oldest of those under way was sent, on the pool's clock; undefined without one. */
  readonly sentSince: number | undefined
  /** In ms; what the other side said. */
  readonly keepAliveHint: number | undefined
  /** Between checkout and return; outside, nothing may be sent. */
  readonly usable: boolean
  /** Of the present borrower, or the last. */
  readonly tenure: Tenure
  lend(): void
  takeBack(): void
  /** Why the connection is over although nothing that was asked failed; empty where it is not. */
  readonly ended?: string
  /** The server refused the connection after it looked open, and nothing that was sent has reached it. */
  readonly refused?: ConnectionFailed | undefined
}

/** Another connection of the same pool, for one request; give it back when that has ended. */
export interface Spare {
  readonly transport: Transport
  giveBack(): void
}

/** One that is idle, or none: nobody who holds a connection waits for another. */
export type TakeSpare = () => Spare | undefined

/** Makes one, without I/O; `onClose` is called once, when it is closed by the other side. */
export type MakeTransport = (onClose: () => void, spare: TakeSpare) => Transport
