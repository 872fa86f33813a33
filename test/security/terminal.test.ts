/** What others named gives no orders to a terminal: not the screen of top, not a line of a command, not the log. */
import { FileSystem, HttpServerResponse } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Console, Duration, Effect, Exit, FastCheck as fc, Scope } from "effect"
import {
  DecodeError,
  QueryError,
  RateLimited,
  ReadOnlyConnection,
  RowNotFound,
  TransactionFailed
} from "../../src/Errors.js"
import * as AuditFile from "../../src/internal/audit/auditFile.js"
import { bad, line as findingLine } from "../../src/internal/cli/findings.js"
import { plainUnless } from "../../src/internal/cli/plainConsole.js"
import { lastWords, logging } from "../../src/internal/cli/terminal.js"
import { frame, line } from "../../src/internal/cli/top/frame.js"
import { Told } from "../../src/internal/feed/client.js"
import { empty, next } from "../../src/internal/feed/view.js"
import { json } from "../../src/internal/http/responses.js"
import { printableColoured, printableJson } from "../../src/internal/shared/printable.js"
import { sample } from "../support/samples.js"

/** By number, so that the test does not say it as the code does. */
const ordersIn = (text: string, allowed: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  [...text].filter((character) => {
    const code = character.codePointAt(0) ?? 0
    const isOrder =
      code < 0x20 ||
      (code >= 0x7f && code < 0xa0) ||
      (code >= 0xd800 && code < 0xe000) ||
      code === 0x61c ||
      code === 0x200e ||
      code === 0x200f ||
      (code >= 0x2028 && code <= 0x202e) ||
      (code >= 0x2066 && code <= 0x2069)
    return isOrder && !allowed.includes(character)
  })

const attacks = [
  "\u001B[2J",
  "\u001B]0;title\u0007",
  "\u001B]52;c;cm0gLXJm\u001B\\",
  "\u001B[8m",
  "\u009B2J",
  "\u009D0;x\u009C",
  "\u0090q\u009C",
  "\r\nforged line",
  "\b\b\b",
  "\u007F",
  "\u202Egnp.exe",
  "\u2066x\u2069",
  "\u2028",
  "\u0000",
  "\uD800"
]

const name = fc
  .array(fc.oneof(fc.constantFrom(...attacks), fc.string({ unit: "binary", maxLength: 5 })), {
    minLength: 1,
    maxLength: 6
  })
  .map((parts) => `name${parts.join("")}`)

/** The colours of ours, of the log's and of the parser's help; none hides what stands behind it. */
const colours = [0, 1, 2, 3, 4, 31, 32, 33, 34, 36, 37, 90, 96]
const ours = new RegExp(`${"\u001B"}\\[(?:${colours.join("|")})(?:;(?:${colours.join("|")}))*m`, "g")
const hiding = "\u001B[8m"

describe("a terminal", () => {
  it("gets no order from a name on the screen of top, with colours and without", () => {
    fc.assert(
      fc.property(name, fc.boolean(), fc.integer({ min: 10, max: 300 }), (it, colour, columns) => {
        const alert = { rule: it, severity: "critical" as const, summary: it, detail: it, since: 0 }
        const event = {
          type: "leaked",
          pool: "read",
          connectionId: it,
          at: 0,
          holder: it,
          held: 1,
          age: 1,
          reason: it
        } as const
        const shown = sample({ status: "degraded", reasons: [it] })
        const told = [
          Told.Connected({ process: it, resumed: false }),
          Told.Sample({ sample: { ...shown, alerts: [alert, { ...alert, fineSince: 1 }] } }),
          Told.Happened({ id: "1", event }),
          Told.Lost({ reason: it })
        ]
        const view = told.reduce((known, each) => next(known, each, 0), empty)
        const lines = frame(view, { columns, rows: 40, colour, url: `http://${it}`, now: 0 })
        const text = (colour ? lines.map((each) => each.replace(ours, "")) : lines).join("")
        expect(ordersIn(text)).toEqual([])
        for (const each of lines) expect(each).not.toContain(hiding)
        expect(ordersIn(line(shown))).toEqual([])
      })
    )
  })

  it("gets none from an error, whatever the database or a program has named", () => {
    fc.assert(
      fc.property(name, (it) => {
        const errors = [
          new QueryError({ code: it, reason: it, details: it, hint: it, status: 400 }),
          new RowNotFound({ table: it, details: "", id: it }),
          new TransactionFailed({ step: 0, operation: it, code: it, reason: it, hint: it }),
          new RateLimited({ key: it, retryAfter: Duration.seconds(1) }),
          new ReadOnlyConnection({ method: it, path: it }),
          new DecodeError({ table: it, id: it, path: it, issue: it })
        ]
        for (const { message } of errors) expect(ordersIn(message)).toEqual([])
      })
    )
  })

  const consoleOf = () => {
    const written: Array<string> = []
    const write = (...args: ReadonlyArray<unknown>) => void written.push(args.map(String).join(" "))
    return { written, write }
  }

  /** What is written by a program of ours that runs this, on a terminal or not. */
  const writtenBy = (program: Effect.Effect<void>, isTTY: boolean) =>
    Effect.gen(function* () {
      const { write, written } = consoleOf()
      const console = yield* Console.consoleWith(Effect.succeed)
      const effectful = (...args: ReadonlyArray<unknown>) => Effect.sync(() => write(...args))
      yield* program.pipe(
        plainUnless(isTTY),
        Effect.provide(logging({ isTTY })),
        Effect.withConsole({
          ...console,
          log: effectful,
          error: effectful,
          unsafe: { ...console.unsafe, log: write, error: write, group: () => {}, groupEnd: () => {} }
        })
      )
      return written.join("\n")
    })

  it("gets none from the log, the last words, a finding or a line of a command", () =>
    fc.assert(
      fc.asyncProperty(name, fc.boolean(), async (it, isTTY) => {
        const program = Effect.gen(function* () {
          yield* Effect.logWarning(`connection leak: ${it}`, it).pipe(
            Effect.annotateLogs({ span: it, [it]: "x" }),
            Effect.withLogSpan(it)
          )
          yield* Effect.logError("a defect", Cause.die(new Error(it)))
          yield* Effect.logError("a failure", Cause.fail({ message: it }))
          yield* lastWords(Cause.fail(new Error(it)))
          yield* lastWords(Cause.die(new Error(it)))
          yield* Console.log(findingLine(bad(it, it, it)))
          yield* Console.log(it)
          yield* Console.error(`Server: ${it}`)
        })
        const text = await Effect.runPromise(writtenBy(program, isTTY))
        expect(text).toContain("name")
        expect(ordersIn(isTTY ? text.replace(ours, "") : text, ["\n", "\t"])).toEqual([])
      }),
      { numRuns: 50 }
    ))

  it("gets the colours that we use in a line, and no other: none that hides, blinks or turns what stands there", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(110), fc.constantFrom(...colours)), { maxLength: 3 }), (codes) => {
        const order = `\u001B[${codes.join(";")}m`
        const isOurs = codes.length > 0 && codes.every((code) => colours.includes(code))
        expect(printableColoured(`a${order}b`)).toBe(isOurs ? `a${order}b` : `a\uFFFD${order.slice(1)}b`)
      }),
      { numRuns: 1_000 }
    )
  })

  it.scopedLive("that follows the audit file gets no order from a name in it, and the line means the same", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = `${yield* fs.makeTempDirectoryScoped()}/audit.jsonl`
      const names = attacks.map((attack) => `name${attack}`)
      const closing = yield* Scope.make()
      const add = yield* Scope.extend(AuditFile.open({ path, maxBytes: 1_000_000, keep: 1 }), closing)
      for (const it of names) {
        add({
          type: "leaked",
          pool: "read",
          connectionId: it,
          at: 0,
          holder: it,
          held: 1,
          waited: 0,
          age: 1,
          reason: it
        })
      }
      yield* Scope.close(closing, Exit.void)
      const text = yield* fs.readFileString(path)
      expect(ordersIn(text, ["\n"])).toEqual([])
      const lines = text.trimEnd().split("\n")
      expect(lines.map((line): unknown => JSON.parse(line).holder)).toEqual(names)
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )

  it.effect("that is shown an answer of the server gets no order from it", () =>
    Effect.gen(function* () {
      for (const attack of attacks) {
        const body = { name: attack, [attack]: "x" }
        const text = yield* Effect.promise(() => HttpServerResponse.toWeb(json(body)).text())
        expect(ordersIn(text)).toEqual([])
        expect(JSON.parse(text)).toEqual(body)
      }
    })
  )

  it("gets JSON that means the same", () => {
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.oneof(name, fc.array(name))),
        fc.constantFrom(undefined, 2),
        (value, indent) => {
          const json = printableJson(JSON.stringify(value, null, indent))
          expect(ordersIn(json, ["\n"])).toEqual([])
          expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)))
        }
      )
    )
  })
})
