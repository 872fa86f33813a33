import { Command, Options } from "@effect/cli"
import { Terminal } from "@effect/platform"
import { Clock, Config, Console, Effect, Ref, Schedule, Schema, Stream } from "effect"
import { follow, type Server } from "../../feed/client.js"
import { empty, next } from "../../feed/view.js"
import { Sample } from "../../feed/wire.js"
import { printableJson } from "../../shared/printable.js"
import { noColor } from "../terminal.js"
import { frame, line } from "./frame.js"
import { failing, serverOf } from "./server.js"

const url = Options.text("url").pipe(
  Options.withDefault("http://127.0.0.1:3000"),
  Options.withDescription("the server, or the dashboard's address with its token; default: http://127.0.0.1:3000")
)

const token = Options.redacted("token").pipe(
  Options.withFallbackConfig(Config.redacted("DB_POOL_ADMIN_TOKEN")),
  Options.optional,
  Options.withDescription("the admin token; default: DB_POOL_ADMIN_TOKEN")
)

const json = Options.boolean("json").pipe(Options.withDescription("print one line of JSON for each sample"))

const once = Options.boolean("once").pipe(Options.withDescription("print one sample and exit"))

const encode = Schema.encodeSync(Schema.parseJson(Sample))

/** For a file, a pipe or another program. */
const lines = (server: Server, options: { readonly json: boolean; readonly once: boolean }) =>
  follow({ ...server, history: false }).pipe(
    Stream.mapEffect(failing(server, !options.once)),
    Stream.tap((told) =>
      told._tag === "Lost" ? Console.error(`${server.url}: ${told.reason}; trying again`) : Effect.void
    ),
    Stream.filter((told) => told._tag === "Sample"),
    (samples) => (options.once ? Stream.take(samples, 1) : samples),
    Stream.runForEach(({ sample }) => Console.log(options.json ? printableJson(encode(sample)) : line(sample)))
  )

/** The alternate screen, which keeps the previous content. */
const ownScreen = Effect.flatMap(Terminal.Terminal, ({ display }) =>
  Effect.acquireRelease(Effect.ignore(display("\u001B[?1049h\u001B[?25l")), () =>
    Effect.ignore(display("\u001B[?25h\u001B[?1049l"))
  )
)

const live = (server: Server) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const colour = !(yield* noColor)
    const view = yield* Ref.make(empty)
    yield* ownScreen
    const draw = Effect.gen(function* () {
      const lines = frame(yield* Ref.get(view), {
        columns: yield* terminal.columns,
        rows: yield* terminal.rows,
        colour,
        url: server.url,
        now: yield* Clock.currentTimeMillis
      })
      // Overwrites line by line, which flickers less than clearing the screen first.
      yield* terminal.display(`\u001B[H${lines.map((text) => `${text}\u001B[K`).join("\n")}\u001B[J`)
    })
    const listening = follow(server).pipe(
      Stream.mapEffect(failing(server, true)),
      Stream.runForEach((told) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.update(view, (known) => next(known, told, now)))
      )
    )
    // By the clock and not at each message: the history arrives in hundreds of messages.
    yield* Effect.raceFirst(listening, Effect.repeat(draw, Schedule.spaced("500 millis")))
  }).pipe(Effect.scoped)

export const top = Command.make("top", { url, token, json, once }, (options) =>
  Effect.gen(function* () {
    const server = yield* serverOf(options.url, options.token)
    const { isTTY } = yield* Terminal.Terminal
    return yield* options.json || options.once || !(yield* isTTY) ? lines(server, options) : live(server)
  })
).pipe(
  Command.withDescription(
    "The pools of a running server, live: connections, waiting, throughput, latency, alerts, events. Ends with Ctrl-C. Exit code 1 when the server refuses access, or with --once when it cannot be reached."
  )
)
