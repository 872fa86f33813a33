/** Which of the routes are mounted in another server and where, with a check that their paths are free. */
import type * as HttpApp from "@effect/platform/HttpApp"
import type * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import { Cause, Effect } from "effect"
import * as Page from "./page.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Part = "health" | "metrics" | "admin" | "docs" | "dashboard"

type Pages = "docs" | "dashboard"

/**
 * Which routes (default: all), and the prefix of their paths.
 *
 * @since 0.1.0
 * @category models
 */
export type RoutesOptions =
  | { readonly parts?: ReadonlyArray<Part> | undefined; readonly prefix?: undefined }
  | { readonly parts?: ReadonlyArray<Exclude<Part, Pages>> | undefined; readonly prefix: `/${string}` }

const partOf = (path: string): Part => {
  if (path.startsWith("/api/admin/")) return "admin"
  if (path.startsWith("/api/")) return "health"
  if (path === "/metrics") return "metrics"
  return path === "/docs" || path === "/openapi.json" ? "docs" : "dashboard"
}

const isPage = (part: Part): boolean => part === "docs" || part === "dashboard"

const everything: ReadonlyArray<Part> = ["health", "metrics", "admin", "docs", "dashboard"]

type Method = "*" | "GET"

/** The router throws for a path that it already has; only we know whose path it is. */
const clash = (method: Method, path: string, part: Part) => (cause: Cause.Cause<never>) =>
  /already declared/.test(Cause.pretty(cause))
    ? Effect.dieMessage(
        `Http.routes: ${method === "*" ? "" : `${method} `}${path} (its ${part}) and a route of yours, ${path}, have the same path. ` +
          "Move yours, or leave that part out: Http.routesOf({ parts: [...] }), or give a prefix."
      )
    : Effect.failCause(cause)

const wrongPrefix = (prefix: string, pages: ReadonlyArray<Part>): string | undefined => {
  if (!/^(?:\/[\w.~-]+)+$/.test(prefix)) {
    return `Http.routesOf: the prefix "${prefix}" is not valid. It begins with a slash and ends without one, as /internal does.`
  }
  return pages.length === 0
    ? undefined
    : `Http.routesOf: ${pages.join(" and ")} cannot stand under a prefix. Leave them out, or leave out the prefix.`
}

export const mount = (
  router: HttpLayerRouter.HttpRouter,
  paths: ReadonlyArray<string>,
  app: HttpApp.Default,
  { parts, prefix }: { readonly parts?: ReadonlyArray<Part> | undefined; readonly prefix?: string | undefined }
) =>
  Effect.gen(function* () {
    const wanted = parts ?? (prefix === undefined ? everything : everything.filter((part) => !isPage(part)))
    const wrong = prefix === undefined ? undefined : wrongPrefix(prefix, wanted.filter(isPage))
    if (wrong !== undefined) return yield* Effect.dieMessage(wrong)
    const target = prefix === undefined ? router : router.prefixed(prefix)
    const add = (method: Method, path: string, part: Part) =>
      target
        .add(method, `/${path.slice(1)}`, app)
        .pipe(Effect.catchAllCause(clash(method, `${prefix ?? ""}${path}`, part)))
    // The user's server has its own icon, or no icon.
    for (const path of paths.filter((path) => path !== Page.favicon)) {
      const part = partOf(path)
      // The user's server may answer other methods on these paths.
      if (wanted.includes(part)) yield* add(isPage(part) ? "GET" : "*", path, part)
    }
    if (wanted.includes("dashboard")) yield* add("GET", `/${Page.assets}/:name`, "dashboard")
  })
