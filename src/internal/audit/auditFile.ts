/** A file of JSON lines that rotates by size. A fiber writes it once a second, and no pool waits for it. */
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

/** The maximum number of lines that wait while the disk is not writable. */
const longestQueue = 10_000

const longestGoodbye = "5 seconds"

/** The maximum number of lines written together, so that rotated files stay near their size. */
const batch = 1_000

const time = (at: number): string => DateTime.formatIso(DateTime.unsafeMake(at))

/** Zero and empty fields are left out. Control characters in names are escaped, so that the file is safe on a terminal. */
const lineOf = ({ at, pool, type, ...rest }: ConnectionEvent): string => {
  const known = Object.entries(rest).filter(([, value]) => value !== "" && value !== 0)
  return printableJson(JSON.stringify({ time: time(at), type, pool, ...Object.fromEntries(known) }))
}

class AuditFile {
  /** Oldest first. */
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
    // A tenth at once, since removing one from the front moves all others.
    const tooMany = longestQueue / 10
    this.events.splice(0, tooMany)
    this.lost += tooMany
  }

  /** Never fails: lines that could not be written wait for the next attempt. */
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
        // A partial line would corrupt the next; if it cannot be removed, the disk has no room for the next either.
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

  /** The size of the current file. */
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

/** Runs until the scope closes, which writes the remaining lines. */
export const open = (
  options: Options
): Effect.Effect<(event: ConnectionEvent) => void, never, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = new AuditFile(fs, options)
    const folder = folderOf(options.path)
    // At once, so that an impossible path is reported at the start.
    if (folder !== "") yield* Effect.ignore(fs.makeDirectory(folder, { recursive: true }))
    yield* Effect.acquireRelease(
      Effect.forkDaemon(
        Effect.interruptible(
          inBackground(Effect.repeat(Effect.uninterruptible(file.flush), Schedule.spaced("1 second")))
        )
      ),
      // A disk that hangs must not keep the process alive, neither during a write nor during the last one.
      (writing) =>
        Effect.zipRight(Fiber.interrupt(writing), file.flush).pipe(
          Effect.disconnect,
          // A finaliser is uninterruptible, and a fiber that is forked in it inherits that.
          Effect.interruptible,
          Effect.timeout(longestGoodbye),
          Effect.ignore
        )
    )
    return file.add
  })
