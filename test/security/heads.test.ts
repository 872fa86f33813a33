/** Whatever of an answer's head goes into an error has no key in it, however it is written there. */
import { inspect } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Db from "../../src/Db.js"
import { createDatabase } from "../../src/promise.js"
import { failureOf, layer, serve } from "../support/httpServer.js"
import { shown } from "../support/secrets.js"

/** Of no form that is known. */
const keys = { anonKey: "Anon-Key.of-Somebody-never-printed", serviceRoleKey: "Own-Key.of-Somebody-never-printed" }
const aKey = /key\.of-somebody/

type Repeating = (key: string) => { readonly status: number; readonly headers: Readonly<Record<string, string>> }

const coded: Repeating = (word) => ({ status: 200, headers: { "content-encoding": word } })

const heads: Readonly<Record<string, Repeating>> = {
  "Content-Encoding": coded,
  "Content-Encoding, behind many letters": (word) => coded(`${"a".repeat(30)}${word}`),
  "Content-Encoding, of an error": (word) => ({ ...coded(word), status: 500 }),
  "Location, in the host": (word) => ({ status: 308, headers: { location: `https://${word}.example.com/` } }),
  "Location, in the path": (word) => ({ status: 308, headers: { location: `https://db.example.com/${word}` } }),
  "Location, in the login": (word) => ({ status: 308, headers: { location: `https://${word}@db.example.com/` } }),
  "Location, in the query": (word) => ({ status: 308, headers: { location: `https://db.example.com/?${word}` } }),
  "Location, which is none": (word) => ({ status: 308, headers: { location: `http://[${word}` } }),
  "Location, of another kind": (word) => ({ status: 308, headers: { location: `data:text/plain,${word}` } }),
  "WWW-Authenticate": (word) => ({
    status: 401,
    headers: { "www-authenticate": `Bearer error="invalid_token", error_description="bad ${word}"` }
  }),
  "Proxy-Status": (word) => ({ status: 400, headers: { "proxy-status": `PostgREST; error=${word}` } }),
  "Retry-After": (word) => ({ status: 429, headers: { "retry-after": word } })
}

const spelled: Readonly<Record<string, (key: string) => string>> = {
  "as it was sent": (key) => key,
  "in capitals": (key) => key.toUpperCase(),
  "in small letters": (key) => key.toLowerCase()
}

/** What somebody finds who looks for it. */
const words = (error: unknown): string =>
  `${shown(error)}${JSON.stringify(error)}${inspect(error)}${error instanceof Error ? error.message : ""}`.toLowerCase()

const operations: ReadonlyArray<Effect.Effect<unknown, Db.DbError, Db.Provided>> = [
  Db.read((client) => client.from("a").select("*"), { retry: false }),
  Db.write((client) => client.from("a").insert({ id: 1 }), { retry: false })
]

describe("a server that repeats the key", () => {
  for (const [name, head] of Object.entries(heads)) {
    for (const [how, spell] of Object.entries(spelled)) {
      it.scopedLive(`in ${name}, ${how}, is not repeated by the error`, () =>
        Effect.gen(function* () {
          const { url } = yield* serve((response, seen) => {
            const { headers, status } = head(spell(String(seen.headers["apikey"])))
            response.writeHead(status, headers).end("x")
          })
          for (const operation of operations) {
            const error = yield* Effect.provide(failureOf(operation), layer(url, {}, keys))
            expect(words(error)).toContain(error._tag.toLowerCase())
            expect(words(error)).not.toMatch(aKey)
          }
          const database = createDatabase({ url, ...keys, maxRetries: 0, enableHealthChecks: false })
          yield* Effect.addFinalizer(() => Effect.promise(() => database.close()))
          const fetched = yield* Effect.promise(() =>
            database.pooledFetch(`${url}/rest/v1/a`).then(
              () => "",
              (error: unknown) => words(error)
            )
          )
          expect(fetched).not.toMatch(aKey)
        })
      )
    }
  }
})
