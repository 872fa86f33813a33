/** What an error says of a way that leads through a proxy. */
import { proxyForm } from "../config/proxyAddress.js"
import { sentOr } from "./errorMeaning.js"
import { tlsRemedy } from "./tlsText.js"

const proxyFailures: Readonly<Record<string, string>> = {
  PROXY_407: "a login is asked for on the way to",
  PROXY_403: "it is not allowed to go to",
  PROXY_GARBAGE: "what is no HTTP proxy answers on the way to",
  PROXY_SILENT: "nobody answers on the way to",
  PROXY_ECONNREFUSED: "nobody listens on the way to",
  PROXY_INVALID: "no address of a proxy leads to"
}

export const whichProxy = "Check DB_POOL_PROXY, HTTPS_PROXY and HTTP_PROXY; DB_POOL_PROXY=none goes without."

const proxyRemedies: Readonly<Record<string, string>> = {
  PROXY_INVALID: `Give ${proxyForm}.`,
  PROXY_407: "Give the login in the address: http://user:password@host:port.",
  PROXY_403: "Ask who runs the proxy to allow it, or name the host in NO_PROXY.",
  PROXY_502: "The proxy does not reach it: check SUPABASE_URL, then ask who runs the proxy.",
  PROXY_503: "The proxy does not reach it: check SUPABASE_URL, then ask who runs the proxy.",
  PROXY_504: "The proxy does not reach it: check SUPABASE_URL, then ask who runs the proxy."
}

export const where = (origin: string, proxy: string | undefined): string =>
  proxy === undefined ? origin : `${origin} by way of the proxy ${proxy}`

interface Failed<F extends string> {
  readonly code: string
  readonly failure: F
  readonly origin: string
}

type Words<F extends string> = Readonly<Record<F, string>>

/** `failures` and `remedies`: what is said where no proxy is on the way. */
export const byProxy = <F extends string>(
  error: Failed<F> & Parameters<typeof sentOr>[0],
  proxy: string,
  failures: Words<F>,
  remedies: Words<F>
): string => {
  const { code, failure, origin } = error
  const ofProxy = failure === "proxy"
  const tls = tlsRemedy(ofProxy ? code.slice("PROXY_".length) : code)
  const ownTls = tls === undefined ? "no way leads to" : "no trusted TLS connection to the proxy itself, on the way to"
  const what = ofProxy ? (proxyFailures[code] ?? ownTls) : failures[failure]
  const known = proxyRemedies[code] ?? tls
  const remedy = known ?? (ofProxy || code === "CONNECT_TIMEOUT" ? whichProxy : remedies[failure])
  return (
    `Connection failed: ${what} ${where(origin, proxy)}${code === "" ? "" : ` (${code})`}. ` +
    `${sentOr(error)} ${remedy}`
  )
}
