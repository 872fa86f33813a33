/** A transaction of which an attempt was lost and another refused, where nobody can say what became of the lost one. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { postgrestError } from "../support/postgrest.js"

const lost = new Db.ConnectionFailed({
  pool: "write",
  origin: "http://db.test",
  failure: "closed",
  code: "ECONNRESET",
  sent: true,
  method: "POST"
})

const answerOf = ({ body = "", headers = {}, status }: ReturnType<typeof postgrestError>): Response =>
  new Response(body, { status, headers: { ...headers } })

const blamed = JSON.stringify({ supabase_pool_step: 0, code: "23505", details: null })

type Settling = () => Response | Effect.Effect<never, Db.ConnectionFailed>

/** The first attempt is lost, the second refused, and its key is to be taken. */
const asked = (settling: Settling, refusal = postgrestError(400, "P0001", "duplicate key", blamed)) => {
  let attempts = 0
  const database = Db.layerTest(
    (request): Response | Effect.Effect<never, Db.ConnectionFailed> => {
      if (request.url.endsWith("_settle")) return settling()
      attempts += 1
      return attempts === 1 ? Effect.fail(lost) : answerOf(refusal)
    },
    { maxRetries: 1, retryDelay: 1, minConnections: 1, maxConnections: 2, enableHealthChecks: false }
  )
  return Effect.flip(Effect.provide(Db.transaction([(client) => client.from("notes").insert({ id: 1 })]), database))
}

describe("an attempt that was lost before another was refused", () => {
  it.live("will not be executed any more where its key is taken: the refusal stands", () =>
    Effect.map(
      asked(() => Response.json({ executed: false })),
      (error) =>
        expect(error).toMatchObject({ _tag: "TransactionFailed", step: 0, code: "23505", mayHaveExecuted: false })
    )
  )

  const untaken: ReadonlyArray<readonly [string, Settling]> = [
    ["may not be taken (42501)", () => answerOf(postgrestError(403, "42501", "permission denied for function"))],
    ["is one too many (54000)", () => answerOf(postgrestError(500, "54000", "within a day 100 keys were settled"))],
    ["finds no function (PGRST202)", () => answerOf(postgrestError(404, "PGRST202", "Could not find the function"))],
    ["finds nobody (503)", () => answerOf(postgrestError(503, "PGRST000", "down"))],
    ["is lost too", () => Effect.fail(lost)],
    ["does not leave", () => Effect.fail(new Db.ConnectionFailed({ ...lost, failure: "refused", sent: false }))]
  ]

  for (const [what, settling] of untaken) {
    it.live(`may still be executed where its key ${what}: the error leaves it open`, () =>
      Effect.map(asked(settling), (error) => {
        expect(error).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: true, isTransient: true })
        expect(error.message).toContain("It may have been executed")
      })
    )
  }

  const noFunction = postgrestError(404, "PGRST202", "Could not find the function")

  it.live("may have been executed where another node knows of no function: the error leaves it open", () =>
    Effect.map(
      asked(() => answerOf(noFunction), noFunction),
      (error) => expect(error).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: true })
    )
  )

  it.live("was executed by nobody where there is no function, and its key is taken all the same", () =>
    Effect.map(
      asked(() => Response.json({ executed: false }), noFunction),
      (error) => expect(error).toMatchObject({ _tag: "TransactionFailed", code: "PGRST202", mayHaveExecuted: false })
    )
  )

  for (const [what, settled] of [
    ["a list", []],
    ["another object", { executed: null }],
    ["null", null]
  ] as const) {
    it.live(`may still be executed where the answer of who takes its key is ${what}`, () =>
      Effect.map(
        asked(() => Response.json(settled)),
        (error) => expect(error).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: true })
      )
    )
  }

  for (const [what, refusal] of [
    ["refused", postgrestError(401, "PGRST303", "JWT expired")],
    ["answered by a node without the function", noFunction],
    ["turned away for being too many", { status: 429 }]
  ] as const) {
    it.live(`was executed, whatever it hears who asks for its results: ${what}`, () =>
      Effect.map(
        asked(() => Response.json({ executed: true }), refusal),
        (error) => expect(error).toMatchObject({ _tag: "ConnectionFailed", mayHaveExecuted: true })
      )
    )
  }
})

it.live("a database without the function executes nothing, where no attempt was lost", () =>
  Effect.map(
    Effect.flip(
      Effect.provide(
        Db.transaction([(client) => client.from("notes").insert({ id: 1 })]),
        Db.layerTest(() => answerOf(postgrestError(404, "PGRST202", "Could not find the function")))
      )
    ),
    (error) => {
      expect(error).toMatchObject({ _tag: "TransactionFailed", code: "PGRST202", mayHaveExecuted: false })
      expect(error.message).toContain("No changes were kept")
    }
  )
)
