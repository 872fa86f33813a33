import { SupabaseClient, type WebSocketLike } from "@supabase/supabase-js"
import { Redacted } from "effect"

/** Realtime has sockets of its own, so it has no place on a pooled one. Passed because Node 20 has no WebSocket. */
class NoRealtime implements WebSocketLike {
  declare readonly CONNECTING: number
  declare readonly OPEN: number
  declare readonly CLOSING: number
  declare readonly CLOSED: number
  declare readonly readyState: number
  declare readonly url: string
  declare readonly protocol: string
  declare readonly close: WebSocketLike["close"]
  declare readonly send: WebSocketLike["send"]
  declare onopen: WebSocketLike["onopen"]
  declare onmessage: WebSocketLike["onmessage"]
  declare onclose: WebSocketLike["onclose"]
  declare onerror: WebSocketLike["onerror"]
  declare readonly addEventListener: WebSocketLike["addEventListener"]
  declare readonly removeEventListener: WebSocketLike["removeEventListener"]

  constructor() {
    throw new Error("A pooled client has no realtime: it owns one HTTP socket. Use createClient for channels.")
  }
}

/**
 * A supabase-js client whose every request uses one socket.
 *
 * What supabase-js does beside the database is off: the session lookup before each request (`accessToken`), its own
 * retries (there is one owner of retries), realtime. Its `rest` gets fixed headers and the socket's `fetch` directly,
 * without the wrapper that copies the headers of each request.
 */
class PooledClient extends SupabaseClient {
  constructor(url: string, key: Redacted.Redacted, token: Redacted.Redacted, fetch: typeof globalThis.fetch) {
    const accessToken = Redacted.value(token)
    super(url, Redacted.value(key), {
      accessToken: () => Promise.resolve(accessToken),
      global: { fetch },
      realtime: { transport: NoRealtime }
    })
    this.rest.headers.set("apikey", Redacted.value(key))
    this.rest.headers.set("Authorization", `Bearer ${accessToken}`)
    this.rest.retry = false
    this.rest.fetch = fetch
  }
}

/** `token` is what `Authorization` carries: the key itself, or a user's access token. */
export const make = (
  url: string,
  key: Redacted.Redacted,
  token: Redacted.Redacted,
  fetch: typeof globalThis.fetch
): SupabaseClient => new PooledClient(url, key, token, fetch)
