import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Option, Schema, Scope, Stream, TestClock } from "effect"
import * as Audit from "../../src/Audit.js"
import * as Db from "../../src/Db.js"
import * as AuditFile from "../../src/internal/audit/auditFile.js"
import * as Pool from "../../src/Pool.js"
import { against, json, layer, serve } from "../support/httpServer.js"

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

/** Its whole lines, none where it is not there: it may be set aside or written to at this moment. */
const linesOf = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const text = yield* Effect.orElseSucceed(fs.readFileString(path), () => "")
    return text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line): Record<string, unknown> => JSON.parse(line))
  })

const event = (n: number): Audit.ConnectionEvent => ({
  type: "acquired",
  pool: "read",
  connectionId: `read-${n}`,
  at: n,
  holder: "",
  held: 0,
  waited: 0,
  age: n,
  reason: ""
})

const tick = Effect.zipRight(TestClock.adjust("1 second"), Effect.yieldNow())

/** Real files are slower than virtual time: lets it pass until it is so. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.flatMap(condition, (holds) =>
    holds ? Effect.void : Effect.zipRight(Effect.zipRight(turn, tick), until(condition))
  )

const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const collecting = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => void lines.push(String(message)))
  )

describe("the audit file", () => {
  it.scopedLive("has every event of both pools, from the first connection to the last, and no key and no row", () =>
    Effect.gen(function* () {
      const path = `${yield* folder}/audit/connections.jsonl`
      const server = yield* serve((response) => json(response, [{ secret: "s3cr3t" }]))
      yield* Db.write((client) => client.from("products").insert({ secret: "s3cr3t" }).select()).pipe(
        Effect.zipRight(Db.read((client) => client.from("products").select())),
        Effect.withSpan("checkout"),
        Effect.provide(Layer.provide(layer(server.url), Audit.layerFile({ path })))
      )
      const lines = yield* linesOf(path)
      const of = (pool: string) => lines.filter((line) => line["pool"] === pool).map((line) => line["type"])
      expect(of("read")).toEqual(["created", "acquired", "released", "closed"])
      expect(of("write")).toEqual(["created", "acquired", "released", "closed"])
      expect(lines.find(({ type }) => type === "acquired")).toMatchObject({
        connectionId: expect.stringMatching(/^(read|write)-\d+$/),
        holder: "checkout",
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/)
      })
      expect(JSON.stringify(lines)).not.toMatch(/s3cr3t|anon-key|service-role-key/)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("is set aside when it is full, and no more are kept than asked for", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* folder}/a.jsonl`
      const add = yield* AuditFile.open({ path, maxBytes: 1_000, keep: 2 })
      for (let n = 1; n <= 60; n += 1) {
        add(event(n))
        if (n % 5 !== 0) continue
        yield* tick
        yield* until(Effect.map(linesOf(path), (lines) => lines.at(-1)?.["connectionId"] === `read-${n}`))
      }
      const [now, before, earlier] = yield* Effect.forEach([path, `${path}.1`, `${path}.2`], linesOf)
      const numbers = [earlier, before, now].flatMap((lines) => (lines ?? []).map(({ age }) => age))
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 61 - numbers.length + index))
      expect(numbers.length).toBeLessThan(60)
      expect(yield* fs.exists(`${path}.3`)).toBe(false)
      for (const name of [path, `${path}.1`, `${path}.2`]) {
        expect(Number((yield* fs.stat(name)).size)).toBeLessThanOrEqual(1_000)
      }
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("that cannot be written to is in the log once, keeps what comes, and is written when it can be", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const parent = `${yield* folder}/log`
      yield* fs.writeFileString(parent, "in the way")
      const path = `${parent}/a.jsonl`
      const add = yield* AuditFile.open({ path, maxBytes: 1_000_000, keep: 1 })
      for (let n = 1; n <= 3; n += 1) {
        add(event(n))
        yield* tick
        yield* until(Effect.sync(() => logged.length > 0))
      }
      expect(logged).toEqual([expect.stringMatching(/cannot be written\..* Events wait in memory\./)])
      yield* fs.remove(parent)
      yield* fs.makeDirectory(parent)
      yield* tick
      yield* until(Effect.sync(() => logged.length > 1))
      expect((yield* linesOf(path)).map(({ age }) => age)).toEqual([1, 2, 3])
      expect(logged[1]).toMatch(/can be written again/)
    }).pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, collecting(logged))))
  })

  it.scopedLive("on a full disk is not felt by the pool", () =>
    Effect.gen(function* () {
      const server = yield* serve((response) => json(response, [{ id: 1 }]))
      const logged: Array<string> = []
      const rows = yield* Db.read((client) => client.from("products").select()).pipe(
        Effect.provide(
          layer(server.url).pipe(
            Layer.provide(Audit.layerFile({ path: "/dev/full" })),
            Layer.provideMerge(collecting(logged))
          )
        )
      )
      expect(rows).toEqual([{ id: 1 }])
      expect(logged).toEqual([expect.stringMatching(/cannot be written/)])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("has whole lines only, also when the disk was full in the middle of one", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const real = yield* FileSystem.FileSystem
      const path = `${yield* folder}/a.jsonl`
      let full = true
      const filling: FileSystem.FileSystem = {
        ...real,
        open: (name, options) =>
          Effect.map(real.open(name, options), (file) => ({
            ...file,
            writeAll: (bytes: Uint8Array) =>
              full ? Effect.zipRight(file.writeAll(bytes.slice(0, 30)), Effect.die("ENOSPC")) : file.writeAll(bytes)
          }))
      }
      const add = yield* Effect.provideService(
        AuditFile.open({ path, maxBytes: 1_000_000, keep: 1 }),
        FileSystem.FileSystem,
        filling
      )
      add(event(1))
      yield* tick
      yield* until(Effect.sync(() => logged.length > 0))
      full = false
      add(event(2))
      yield* tick
      yield* until(Effect.sync(() => logged.length > 1))
      expect((yield* linesOf(path)).map(({ age }) => age)).toEqual([1, 2])
    }).pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, collecting(logged))))
  })

  it.scoped("on a disk that hangs keeps nobody from closing for longer than five seconds", () =>
    Effect.gen(function* () {
      const real = yield* FileSystem.FileSystem
      const hanging: FileSystem.FileSystem = { ...real, open: () => Effect.never }
      const scope = yield* Scope.make()
      const add = yield* AuditFile.open({ path: `${yield* folder}/a.jsonl`, maxBytes: 1_000_000, keep: 1 }).pipe(
        Effect.provideService(FileSystem.FileSystem, hanging),
        Scope.extend(scope)
      )
      add(event(1))
      yield* tick
      const closing = yield* Effect.forkDaemon(Scope.close(scope, Exit.void))
      yield* until(Effect.map(Fiber.poll(closing), Option.isSome)).pipe(Effect.raceFirst(Effect.sleep("10 seconds")))
      expect(yield* Fiber.poll(closing)).toEqual(Option.some(Exit.void))
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.scoped("keeps ten thousand events at most while it cannot be written, and says how many it gave up", () => {
    const logged: Array<string> = []
    return Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const parent = `${yield* folder}/log`
      yield* fs.writeFileString(parent, "in the way")
      const path = `${parent}/a.jsonl`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const add = yield* AuditFile.open({ path, maxBytes: 100_000_000, keep: 1 })
          for (let n = 1; n <= 25_000; n += 1) add(event(n))
          yield* fs.remove(parent)
          yield* fs.makeDirectory(parent)
        })
      )
      const lines = yield* linesOf(path)
      const [first, second] = lines
      expect(first?.["type"]).toBe("lost")
      expect(lines.length - 1 + Number(first?.["count"])).toBe(25_000)
      expect(lines.length).toBeLessThanOrEqual(10_001)
      expect(second?.["age"]).toBe(Number(first?.["count"]) + 1)
      expect(lines.at(-1)?.["age"]).toBe(25_000)
    }).pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, collecting(logged))))
  })
})

describe("listeners", () => {
  it.scopedLive("are told of every event, and one that throws disturbs neither the pool nor the others", () =>
    Effect.gen(function* () {
      const told: Array<Audit.ConnectionEvent> = []
      const logged: Array<string> = []
      const server = yield* serve((response) => json(response, []))
      const listeners = Audit.layerListener((one) => told.push(one)).pipe(
        Layer.provide(
          Audit.layerListener(() => {
            throw new Error("broken")
          })
        )
      )
      yield* Db.read((client) => client.from("products").select()).pipe(
        Effect.provide(layer(server.url).pipe(Layer.provide(listeners), Layer.provideMerge(collecting(logged))))
      )
      expect(told.filter(({ pool }) => pool === "read").map(({ type }) => type)).toEqual([
        "created",
        "acquired",
        "released",
        "closed"
      ])
      expect(logged).toEqual(["a listener to connection events failed"])
      for (const one of told) expect(Schema.is(Audit.ConnectionEvent)(one)).toBe(true)
    })
  )

  it.live("hear why a connection ended: its caller left, or the server closed it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const told: Array<Audit.ConnectionEvent> = []
        const server = yield* serve((response, _, nth) => {
          if (nth !== 1) json(response, [])
        })
        const ends = () => told.filter(({ type }) => type === "failed").map(({ reason }) => reason)
        yield* Effect.gen(function* () {
          const asking = yield* Effect.fork(Db.read((client) => client.from("products").select()))
          yield* server.until(() => server.seen.length === 1)
          yield* Fiber.interrupt(asking)
          yield* server.until(() => ends().length === 1)
          yield* Db.read((client) => client.from("products").select())
          const before = server.open()
          for (const socket of server.sockets.values()) socket.destroy()
          yield* server.until(() => ends().length > 1 && server.open() < before)
        }).pipe(Effect.provide(layer(server.url).pipe(Layer.provide(Audit.layerListener((one) => told.push(one))))))
        const [left, ...others] = ends()
        expect(left).toBe("the caller left")
        expect(others.filter((reason) => !/^closed (?:by the server|ECONNRESET)$/.test(reason))).toEqual([])
        expect(others.length).toBeGreaterThan(0)
      })
    )
  )

  it.live("may listen to both pools as one stream", () =>
    against((response) => json(response, []))(() =>
      Effect.gen(function* () {
        const listening = yield* Audit.events.pipe(
          Stream.filter(({ type }) => type === "released"),
          Stream.take(2),
          Stream.runCollect,
          Effect.fork
        )
        yield* Effect.yieldNow()
        const pools = [yield* Pool.ReadPool, yield* Pool.WritePool]
        for (const pool of pools) yield* pool.use(() => Effect.void)
        const events = yield* listening
        expect([...events].map(({ pool }) => pool)).toEqual(["read", "write"])
      })
    )
  )

  it.scopedLive("learn why a connection could not be opened", () =>
    Effect.gen(function* () {
      const first = yield* Effect.flatMap(Pool.ReadPool, ({ events }) => Stream.runHead(events)).pipe(
        Effect.provide(layer("http://127.0.0.1:9"))
      )
      expect(Option.getOrThrow(first)).toMatchObject({
        type: "failed",
        connectionId: "",
        reason: "refused ECONNREFUSED"
      })
    })
  )
})
