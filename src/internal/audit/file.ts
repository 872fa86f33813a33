/** A file of JSON lines that rotates by size, written once a second by a fiber that no pool waits for. */
import * as FileSystem from "@effect/platform/FileSystem"
import { Cause, DateTime, Effect, Fiber, Schedule, type Scope } from "effect"
import type { ConnectionEvent } from "../../Audit.js"
import { inBackground } from "../shared/asyncContext.js"
import { printableJson } from "../shared/printable.js"
import { sentence } from "../shared/text.js"

export interface Options {
  readonly path: string
  readonly maxBytes: number
  readonly keep: number
}

/** So many lines wait at most for a disk that cannot be written to. */
const longestQueue = 10_000

const longestGoodbye = "5 seconds"

/** Written together at most, so that rotating keeps files near their size. */
const batch = 1_000

const time = (at: number): string => DateTime.formatIso(DateTime.unsafeMake(at))

/** What is 0 or empty is left out. Who follows the file on a terminal gets no orders from a name in it. */
const lineOf = ({ at, pool, type, ...rest }: ConnectionEvent): string => {
  const known = Object.entries(rest).filter(([, value]) => value !== "" && value !== 0)
  return printableJson(JSON.stringify({ time: time(at), type, pool, ...Object.fromEntries(known) }))
}

class AuditFile {
  /** The oldest first. */
  private readonly events: Array<ConnectionEvent> = []
  private lost = 0
  private broken = false
  private readonly encoder = new TextEncoder()
  private readonly fs: FileSystem.FileSystem
  private readonly options: Options

  constructor(fs: FileSystem.FileSystem, options: Options) {
    this.fs = fs
    this.options = options
  }

  readonly add = (event: ConnectionEvent): void => {
    this.events.push(event)
    if (this.events.length <= longestQueue) return
    // A tenth at once, since taking one from the front moves all others.
    const tooMany = longestQueue / 10
    this.events.splice(0, tooMany)
    this.lost += tooMany
  }

  /** Never fails: what could not be written waits for the next time. */
  readonly flush: Effect.Effect<void> = Effect.suspend(() =>
    this.events.length === 0 && this.lost === 0
      ? Effect.void
      : Effect.matchCauseEffect(this.write, {
          onFailure: (cause) => this.fails(Cause.squash(cause)),
          onSuccess: () => (this.events.length >= batch ? Effect.zipRight(this.works, this.flush) : this.works)
        })
  )

  private readonly write = Effect.suspend(() => {
    const events = this.events.slice(0, batch)
    const { lost } = this
    const lines = events.map(lineOf)
    if (lost > 0) lines.unshift(JSON.stringify({ time: time(events[0]?.at ?? 0), type: "lost", count: lost }))
    const bytes = this.encoder.encode(`${lines.join("\n")}\n`)
    return Effect.gen(this, function* () {
      const before = yield* this.roomFor(bytes.length)
      yield* this.append(bytes).pipe(
        // Half a line would spoil the next; where it cannot be taken back, there is no room for that one either.
        Effect.onError(() => Effect.ignore(this.fs.truncate(this.options.path, before)))
      )
      this.events.splice(0, events.length)
      this.lost -= lost
    })
  })

  private append(bytes: Uint8Array) {
    return Effect.scoped(
      Effect.flatMap(this.fs.open(this.options.path, { flag: "a", mode: 0o600 }), (file) => file.writeAll(bytes))
    )
  }

  /** The size of the file that is written to next. */
  private roomFor(bytes: number) {
    const { maxBytes, path } = this.options
    return Effect.gen(this, function* () {
      const exists = yield* this.fs.exists(path)
      const size = exists ? Number((yield* this.fs.stat(path)).size) : 0
      if (size === 0 || size + bytes <= maxBytes) return BigInt(size)
      yield* this.rotate
      return 0n
    })
  }

  private readonly rotate = Effect.suspend(() => {
    const { keep, path } = this.options
    const name = (n: number): string => (n === 0 ? path : `${path}.${n}`)
    return Effect.gen(this, function* () {
      if (keep <= 0) return yield* this.fs.remove(path, { force: true })
      for (let n = keep; n > 0; n -= 1) {
        if (yield* this.fs.exists(name(n - 1))) yield* this.fs.rename(name(n - 1), name(n))
      }
    })
  })

  private fails(why: unknown): Effect.Effect<void> {
    if (this.broken) return Effect.void
    this.broken = true
    const reason = sentence(why instanceof Error ? why.message : String(why))
    return Effect.logWarning(
      `The audit file ${this.options.path} cannot be written.${reason} Events wait in memory. Make room, or fix its permissions.`
    )
  }

  private readonly works: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.broken) return Effect.void
    this.broken = false
    return Effect.logInfo(`The audit file ${this.options.path} can be written again.`)
  })
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))

/** Until the scope closes, which writes what is left. */
export const open = (
  options: Options
): Effect.Effect<(event: ConnectionEvent) => void, never, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = new AuditFile(fs, options)
    const folder = folderOf(options.path)
    // At once, so that a path that cannot be is known at the start.
    if (folder !== "") yield* Effect.ignore(fs.makeDirectory(folder, { recursive: true }))
    yield* Effect.acquireRelease(
      Effect.forkDaemon(
        Effect.interruptible(
          inBackground(Effect.repeat(Effect.uninterruptible(file.flush), Schedule.spaced("1 second")))
        )
      ),
      // A disk that hangs must not keep the process: neither in what it was writing, nor in what is left.
      (writing) =>
        Effect.zipRight(Fiber.interrupt(writing), file.flush).pipe(
          Effect.disconnect,
          // A finaliser is not, and what is forked in it inherits that.
          Effect.interruptible,
          Effect.timeout(longestGoodbye),
          Effect.ignore
        )
    )
    return file.add
  })
