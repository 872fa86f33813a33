/** What does one read cost its process, next to supabase-js as it comes and next to the pools people put around it? */
import { Effect } from "effect"
import { figure } from "./support/figures.js"
import { interleave } from "./support/interleave.js"
import { server, subject } from "./support/processes.js"
import type { Question } from "./support/question.js"

const peers = [
  ["supabase-js", "stock"],
  ["supabase-js on an undici Pool", "undiciPool"],
  ["supabase-js behind generic-pool", "genericPool"],
  ["supabase-js behind tarn", "tarn"],
  ["supabase-js behind pg-pool", "pgPool"],
  ["supabase-js behind Effect's Pool", "effectPool"]
] as const

const goals = [
  { id: "read", name: "Db.read", file: "database", made: "dbRead", goal: 4 },
  { id: "promise", name: "executeWithPool", file: "database", made: "promiseRead", goal: 3.5 },
  { id: "pooledFetch", name: "supabase-js with pooledFetch", file: "pooledFetch", made: "pooledFetchRead", goal: 2 },
  { id: "pooledClient", name: "createPooledClient", file: "pooledFetch", made: "pooledClientRead", goal: 3 }
] as const

export const question: Question = {
  name: "read",
  asks: "CPU of one read (select … eq … limit 1), 20 callers at a time, metrics on, static server in another process",
  run: (progress) =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const ours = yield* Effect.forEach(goals, ({ file, made, name }) => subject(name, file, made, [url]))
      const theirs = yield* Effect.forEach(peers, ([name, made]) => subject(name, "peers", made, [url]))
      const seen = yield* interleave([...ours, ...theirs], { callers: 20, operations: 6_000 }, 7, progress)
      const stock = peers[0][0]
      return {
        answers: goals.map(({ goal, id, name }) => {
          const ratio = seen.ratio(name, stock)
          return {
            id,
            what: `CPU of one read by ${name}`,
            goal: `supabase-js ÷ ${goal}`,
            measured: `÷ ${figure(1 / ratio)} (${figure(seen.of(name))} µs against ${figure(seen.of(stock))})`,
            passed: 1 / ratio >= goal,
            ratio
          }
        }),
        table: {
          head: ["one read by", "CPU, µs", "supabase-js ÷ it"],
          rows: [...goals.map(({ name }) => name), ...peers.map(([name]) => name)].map((name) => [
            name,
            figure(seen.of(name)),
            figure(1 / seen.ratio(name, stock), 2)
          ])
        },
        note: "CPU of the whole process, garbage collection included. A pool around supabase-js adds its checkout to supabase-js's own cost and, since the global `fetch` opens sockets as it likes, bounds callers and not sockets."
      }
    })
}
