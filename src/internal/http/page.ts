/**
 * The dashboard as static files, held in memory: it is small, built once, and read before the first request. In a checkout,
 * `internal/server/dashboardBuild.ts` tells when it has been built.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Path from "@effect/platform/Path"
import { Context, Effect, Option } from "effect"
import { packageUrl } from "../shared/packageUrl.js"
import { noStore, problem } from "./responses.js"

interface File {
  readonly body: Uint8Array
  readonly type: string
  /** By its HTTP name, the best first; empty if compression is not worth it. */
  readonly encoded: ReadonlyMap<string, Uint8Array>
}

/** The compressed files that the build puts beside a file, by their HTTP name. */
const encodings: ReadonlyArray<readonly [name: string, extension: string]> = [
  ["br", ".br"],
  ["gzip", ".gz"]
]

/** By their paths below the page. */
export type Files = ReadonlyMap<string, File>

export type State =
  | { readonly _tag: "Built"; readonly files: Files }
  | { readonly _tag: "Building" }
  | { readonly _tag: "Missing" }

/** The folder of hashed files. Its name is unusual, so that it can be mounted in another server. */
export const assets = "supabase-pool"

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

const folder = packageUrl("dist/dashboard/")

/** None if it has not been built. */
export const read: Effect.Effect<Option.Option<Files>, never, FileSystem.FileSystem | Path.Path> = Effect.gen(
  function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const root = yield* path.fromFileUrl(folder)
    const all = yield* fs.readDirectory(root, { recursive: true })
    const encodedOf = (name: string) =>
      Effect.forEach(
        encodings.filter(([, extension]) => all.includes(name + extension)),
        ([encoding, extension]) =>
          Effect.map(fs.readFile(path.join(root, name + extension)), (body) => [encoding, body] as const)
      )
    const files = yield* Effect.forEach(
      all.filter((name) => path.extname(name) in types),
      (name) =>
        Effect.zipWith(fs.readFile(path.join(root, name)), encodedOf(name), (body, encoded): [string, File] => [
          name.replaceAll(path.sep, "/"),
          { body, type: types[path.extname(name)] ?? "application/octet-stream", encoded: new Map(encoded) }
        ])
    )
    return files.some(([name]) => name === "index.html") ? Option.some<Files>(new Map(files)) : Option.none()
  }
).pipe(Effect.orElseSucceed(() => Option.none()))

/** The current state of the dashboard. Default: the files in the package. */
export class Dashboard extends Context.Reference<Dashboard>()("effect-supabase-pool/internal/Dashboard", {
  defaultValue: (): { readonly state: Option.Option<Effect.Effect<State>> } => ({ state: Option.none() })
}) {}

/** Nothing from other origins, nothing inline, and no form or frame: the page's content stays on the page. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const pageHeaders = {
  "cache-control": "no-cache",
  "content-security-policy": policy,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const text = (title: string, paragraph: string, head = ""): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${title}</title>${head}</head>
<body><main><h1>${title}</h1><p>${paragraph}</p></main></body></html>
`

const waitingScript = "setTimeout(() => location.reload(), 1000)\n"

const building = text(
  "The dashboard is being built",
  "This takes a few seconds, once. The page appears by itself.",
  `<script src="${assets}/waiting.js"></script>`
)

const missing = text(
  "The dashboard is not built",
  "Everything else works. Build it with <code>npm run build:dashboard</code>."
)

const html = (body: string | Uint8Array, status: number): HttpServerResponse.HttpServerResponse =>
  typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers: { ...pageHeaders, ...noStore }, contentType: types[".html"] })
    : HttpServerResponse.uint8Array(body, { status, headers: pageHeaders, contentType: types[".html"] })

/** Empty while the page is being built, and if it cannot be built. */
const filesOf = (state: State): Files => (state._tag === "Built" ? state.files : new Map())

const index = (state: State): HttpServerResponse.HttpServerResponse => {
  if (state._tag === "Building") return html(building, 503)
  const file = filesOf(state).get("index.html")
  return file === undefined ? html(missing, 503) : html(file.body, 200)
}

/** Whether `Accept-Encoding` lists it without refusing it (RFC 9110 §12.5.3). */
const accepts = (header: string, encoding: string): boolean =>
  header.split(",").some((each) => {
    const [name = "", ...parameters] = each.split(";").map((part) => part.trim().toLowerCase())
    return name === encoding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
  })

/** The names contain a hash of the content, so a fetched file never expires. */
const asset = (state: State, name: string, accepted: string): HttpServerResponse.HttpServerResponse => {
  const headers = { "x-content-type-options": "nosniff" }
  if (state._tag === "Building" && name === "waiting.js") {
    return HttpServerResponse.text(waitingScript, { headers: { ...headers, ...noStore }, contentType: types[".js"] })
  }
  const file = filesOf(state).get(`${assets}/${name}`)
  if (file === undefined) return problem(404, "Not found.")
  const [encoding, body] = [...file.encoded].find(([each]) => accepts(accepted, each)) ?? ["", file.body]
  return HttpServerResponse.uint8Array(body, {
    contentType: file.type,
    headers: {
      ...headers,
      "cache-control": "public, max-age=31536000, immutable",
      ...(file.encoded.size === 0 ? {} : { vary: "accept-encoding" }),
      ...(encoding === "" ? {} : { "content-encoding": encoding })
    }
  })
}

const packaged: Effect.Effect<State, never, FileSystem.FileSystem | Path.Path> = Effect.map(
  read,
  Option.match({ onNone: (): State => ({ _tag: "Missing" }), onSome: (files): State => ({ _tag: "Built", files }) })
)

/** Adds the page and its files. */
export const routes = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const { state } = yield* Dashboard
    const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const current = Option.isSome(state) ? state.value : yield* Effect.cached(Effect.provide(packaged, context))
    yield* router.get("/", Effect.map(current, index))
    yield* router.get(favicon, Effect.map(current, icon))
    yield* router.get(
      `/${assets}/:name`,
      Effect.gen(function* () {
        const { name = "" } = yield* HttpRouter.params
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return asset(yield* current, name, headers["accept-encoding"] ?? "")
      })
    )
  })
)

/** Browsers request it for every origin, even if the page names another icon. */
export const favicon = "/favicon.ico"

const icon = (state: State): HttpServerResponse.HttpServerResponse => {
  const [, file] = [...filesOf(state)].find(([path]) => path.endsWith(".svg")) ?? []
  return file === undefined
    ? HttpServerResponse.empty({ headers: noStore })
    : HttpServerResponse.uint8Array(file.body, {
        contentType: file.type,
        headers: { "x-content-type-options": "nosniff", "cache-control": "public, max-age=86400" }
      })
}

/** The pages that are not in the definition, and their answers. */
export const paths: ReadonlyArray<string> = ["/", "/docs", "/openapi.json", favicon]
