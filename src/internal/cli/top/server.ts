/** The server that `supabase-pool top` follows, and its errors. */
import { Effect, Option, Redacted } from "effect"
import type { Server, Told } from "../../feed/client.js"
import { Failed } from "../failed.js"

const nobody = (address: string, reason: string): Failed =>
  new Failed({
    reason: `Nothing answers at ${address}: ${reason}. Nothing is shown. Start it (\`npm start\`, \`supabase-pool serve\`), or give its address as --url.`
  })

/** Succeeds with any answer of any server. */
const isThere = (address: string): Effect.Effect<boolean> =>
  Effect.tryPromise((signal) => fetch(`${address}/api/health/live`, { signal })).pipe(
    Effect.timeout("5 seconds"),
    Effect.isSuccess
  )

const addressOf = (text: string): Option.Option<URL> =>
  Option.filter(
    Option.liftThrowable((address: string) => new URL(address))(text),
    ({ protocol }) => protocol === "http:" || protocol === "https:"
  )

/** The server from the options, or the reason why it cannot be asked. */
export const serverOf = (address: string, given: Option.Option<Redacted.Redacted>): Effect.Effect<Server, Failed> =>
  Effect.gen(function* () {
    const parsed = yield* Effect.mapError(
      addressOf(address),
      () =>
        new Failed({
          // Without the fragment, which may hold a token.
          reason: `--url ${address.replace(/#.*/, "")} is not valid: it is not the address of a server. Give --url http://127.0.0.1:3000, for example.`
        })
    )
    const inAddress = new URLSearchParams(parsed.hash.slice(1)).get("token")
    const found = Option.orElse(Option.map(given, Redacted.value), () => Option.fromNullable(inAddress))
    const url = parsed.origin + parsed.pathname.replace(/\/+$/, "")
    if (Option.isSome(found)) return { url, token: found.value }
    // If no server runs, do not send the user to look for a token.
    return yield* (yield* isThere(url))
      ? new Failed({
          reason: `${url} requires the admin token, and none was given. Give --token, set DB_POOL_ADMIN_TOKEN, or give the dashboard's address as --url.`
        })
      : nobody(url, "the server cannot be reached")
  })

const refused = ({ url: address }: Server, status: number): Failed =>
  new Failed({
    reason:
      status === 401
        ? `${address} refuses the token. The token changes with each start unless DB_POOL_ADMIN_TOKEN is set.`
        : `${address} has no admin routes (404): start it with DB_POOL_ADMIN_TOKEN.`
  })

/** Ends the command if waiting does not help: after a refusal, and with `--once` if the server cannot be reached. */
export const failing =
  (server: Server, patient: boolean) =>
  (told: Told): Effect.Effect<Told, Failed> => {
    if (told._tag === "Refused") return Effect.fail(refused(server, told.status))
    if (told._tag === "Lost" && !patient) return Effect.fail(nobody(server.url, told.reason))
    return Effect.succeed(told)
  }
