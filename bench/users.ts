/** What does one read as a signed-in user cost, next to supabase-js with the same function for the token? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const stock = { name: "supabase-js with accessToken", made: "stockUser" } as const

const goals = [
  { id: "pooledFetchUser", name: "supabase-js with accessToken and pooledFetch", made: "pooledFetchUser", goal: 2 },
  { id: "pooledClientUser", name: "createPooledClient with accessToken", made: "pooledClientUser", goal: 2 },
  { id: "viewOfUser", name: "withAccessToken(token).executeWithPool", made: "viewOfUser", goal: 2 }
] as const

export const question: Question = {
  name: "users",
  asks: "CPU of one read as a user (select … eq … limit 1, a token from a function), 20 callers at a time, static server in another process",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const subjects = yield* Effect.forEach([...goals, stock], ({ made, name }) => subject(name, "users", made, [url]))
      const seen = yield* interleave(subjects, { callers: 20, operations: 6_000 }, 7, progress)
      return {
        answers: goals.map(({ goal, id, name }) => {
          const ratio = seen.ratio(name, stock.name)
          return {
            id,
            what: `CPU of one read by ${name}`,
            goal: `supabase-js ÷ ${goal}`,
            measured: `÷ ${figure(1 / ratio)} (${figure(seen.of(name))} µs against ${figure(seen.of(stock.name))})`,
            passed: 1 / ratio >= goal,
            ratio
          }
        }),
        table: {
          head: ["one read by", "CPU, µs", "supabase-js ÷ it"],
          rows: [...goals, stock].map(({ name }) => [
            name,
            figure(seen.of(name)),
            figure(1 / seen.ratio(name, stock.name), 2)
          ])
        },
        note: "CPU of the whole process, garbage collection included. `createPooledClient` asks for the token when the request is about to be sent, and once more when the server refuses it; supabase-js asks before, and not again."
      }
    })
}
