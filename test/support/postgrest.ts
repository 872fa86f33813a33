/**
 * A server that answers as PostgREST 16.2 does where that was measured (docs/postgrest.md), and as gateways do before it.
 * PostgREST itself is in no registry that the tests can install it from.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"

/** What a request meets. */
export interface Scripted {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const words = (code: string, message: string, details: unknown = null): string =>
  JSON.stringify({ code, details, hint: null, message })

/** Every error of PostgREST's says its code here too, also where there is no body. */
const proxyStatus = (code: string) => ({ "proxy-status": `PostgREST; error=${code}` })

const json = { "content-type": "application/json; charset=utf-8" }

export const postgrestError = (status: number, code: string, message: string, details: unknown = null): Scripted => ({
  status,
  headers: { ...json, ...proxyStatus(code) },
  body: words(code, message, details)
})

/** As a gateway says it: a page. */
export const page = (status: number): Scripted => ({
  status,
  headers: { "content-type": "text/html" },
  body: `<html>${status}</html>`
})

/** The answer to COMMIT or to BEGIN was lost: nobody can tell the two apart. */
export const lostAtCommit: Scripted = {
  status: 400,
  headers: { ...json, "proxy-status": "PostgREST; error=" },
  body: words("", "")
}

export const rows = (...all: ReadonlyArray<unknown>): Scripted => ({
  status: 200,
  headers: { ...json, "content-range": all.length === 0 ? "*/*" : `0-${all.length - 1}/*` },
  body: JSON.stringify(all)
})

/** The answer to who asks how many there are: PostgREST says it in `Content-Range`. */
export const counted = (scripted: Scripted, prefer: string | null | undefined): Scripted => {
  const { body = "", headers = {} } = scripted
  const range = headers["content-range"]
  if (range === undefined || prefer?.includes("count=exact") !== true || !body.startsWith("[")) return scripted
  const total = (JSON.parse(body) as ReadonlyArray<unknown>).length
  return { ...scripted, headers: { ...headers, "content-range": range.replace(/\/\*$/, `/${total}`) } }
}

export class ScriptedPostgrest {
  /** What the next requests meet, one each; then `rows()`. */
  readonly script: Array<Scripted> = []
  readonly seen: Array<{ readonly method: string; readonly url: string }> = []
  port = 0

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = "", url = "" } = request
    request.resume()
    this.seen.push({ method, url })
    const prefer = request.headers["prefer"]
    const { body = "", headers = {}, status } = counted(this.script.shift() ?? rows(), String(prefer))
    response.writeHead(status, headers)
    response.end(method === "HEAD" ? undefined : body)
  }
}

/** Until the scope closes. */
export const scripted: Effect.Effect<ScriptedPostgrest, never, Scope.Scope> = Effect.acquireRelease(
  Effect.async<{ readonly postgrest: ScriptedPostgrest; readonly close: () => void }>((resume) => {
    const postgrest = new ScriptedPostgrest()
    const server = createServer(postgrest.answer)
    server.keepAliveTimeout = 600_000
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      postgrest.port = typeof address === "object" && address !== null ? address.port : 0
      const close = (): void => {
        server.closeAllConnections()
        server.close()
      }
      resume(Effect.succeed({ postgrest, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
).pipe(Effect.map(({ postgrest }) => postgrest))
