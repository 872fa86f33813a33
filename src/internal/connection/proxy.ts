/** Which proxy leads to a server, if any: what was configured, or what the environment says to every program. */
import * as Net from "node:net"
import { Config, Effect, Option, Redacted } from "effect"
import type { PoolOptions } from "../config/model.js"
import { type HttpProxy, parseProxy } from "../config/proxyAddress.js"

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$|\.$/g, "").toLowerCase()

export const isLoopback = (url: URL): boolean => {
  const host = hostOf(url)
  return /^(.*\.)?localhost$/.test(host) || host === "::1" || (Net.isIPv4(host) && host.startsWith("127."))
}

const defaultPort = (url: URL): string => url.port || (url.protocol === "https:" ? "443" : "80")

/** `10.0.0.0/8`, as curl and Go read it, and `10.0.0.1-10.0.0.9`, as Node does. */
const isInRange = (host: string, entry: string): boolean => {
  const [, first = "", joint, second = ""] = /^([^/-]+)([/-])(.+)$/.exec(entry) ?? []
  if (Net.isIP(host) === 0 || Net.isIP(first) !== Net.isIP(host)) return false
  const family = Net.isIPv4(host) ? "ipv4" : "ipv6"
  const range = new Net.BlockList()
  const add = Option.liftThrowable(() =>
    joint === "/" ? range.addSubnet(first, Number(second), family) : range.addRange(first, second, family)
  )
  // What is none is in no range.
  return Option.isSome(add()) && range.check(host, family)
}

/**
 * `NO_PROXY`: names with or without a leading dot or `*.`, each for those below it too; with a port for that port alone; ranges
 * of addresses.
 */
export const isExempt = (url: URL, list: string): boolean =>
  list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === "") return false
      if (entry === "*" || isInRange(hostOf(url), entry)) return true
      const [, inBrackets, bare = "", port] = /^(?:\[([^\]]+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? []
      const name = (inBrackets ?? bare).replace(/^\*?\.|\.$/g, "")
      const host = hostOf(url)
      if (name === "" || (port !== undefined && port !== defaultPort(url))) return false
      return host === name || (Net.isIP(host) === 0 && host.endsWith(`.${name}`))
    })

/** The lower case name first, as curl and Node look. */
const variable = (name: string): Effect.Effect<string> =>
  Effect.forEach([name.toLowerCase(), name], (each) =>
    Effect.orElseSucceed(Config.string(each).pipe(Config.withDefault("")), () => "")
  ).pipe(Effect.map((values) => values.map((value) => value.trim()).find((value) => value !== "") ?? ""))

/** The proxy to this server; the name of the variable where that holds no proxy. */
export const proxyTo = (url: URL, configured: PoolOptions["proxy"]): Effect.Effect<HttpProxy | string | undefined> =>
  Effect.gen(function* () {
    if (configured === "none") return undefined
    if (configured !== "environment") return parseProxy(Redacted.value(configured)) ?? "DB_POOL_PROXY"
    const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"
    const text = yield* variable(name)
    if (text === "" || isLoopback(url) || isExempt(url, yield* variable("NO_PROXY"))) return undefined
    return parseProxy(text) ?? name
  })
