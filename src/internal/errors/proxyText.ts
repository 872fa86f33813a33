/** The text of errors on connections through a proxy. */
import { proxyForm } from "../config/proxyAddress.js"
import { sentOr } from "./errorMeaning.js"
import { tlsRemedy } from "./tlsText.js"

const proxyFailures: Readonly<Record<string, string>> = {
  PROXY_407: "a login is required on the way to",
  PROXY_403: "access is not allowed to",
  PROXY_GARBAGE: "something that is not an HTTP proxy answers on the way to",
  PROXY_SILENT: "nothing answers on the way to",
  PROXY_ECONNREFUSED: "nothing listens on the way to",
  PROXY_INVALID: "no valid proxy address is set for"
}

export const whichProxy =
  "Check DB_POOL_PROXY, HTTPS_PROXY and HTTP_PROXY; DB_POOL_PROXY=none connects without a proxy."

const proxyRemedies: Readonly<Record<string, string>> = {
  PROXY_INVALID: `Give ${proxyForm}.`,
  PROXY_407: "Give the login in the address: http://user:password@host:port.",
  PROXY_403: "Ask the proxy's administrator to allow it, or name the host in NO_PROXY.",
  PROXY_502: "The proxy cannot reach the server: check SUPABASE_URL, then ask the proxy's administrator.",
  PROXY_503: "The proxy cannot reach the server: check SUPABASE_URL, then ask the proxy's administrator.",
  PROXY_504: "The proxy cannot reach the server: check SUPABASE_URL, then ask the proxy's administrator."
}

export const where = (origin: string, proxy: string | undefined): string =>
  proxy === undefined ? origin : `${origin} through the proxy ${proxy}`

interface Failed<F extends string> {
  readonly code: string
  readonly failure: F
  readonly origin: string
}

type Words<F extends string> = Readonly<Record<F, string>>

/** `failures` and `remedies`: the texts for connections without a proxy. */
export const byProxy = <F extends string>(
  error: Failed<F> & Parameters<typeof sentOr>[0],
  proxy: string,
  failures: Words<F>,
  remedies: Words<F>
): string => {
  const { code, failure, origin } = error
  const ofProxy = failure === "proxy"
  const tls = tlsRemedy(ofProxy ? code.slice("PROXY_".length) : code)
  const ownTls = tls === undefined ? "no connection to" : "no trusted TLS connection to the proxy itself, on the way to"
  const what = ofProxy ? (proxyFailures[code] ?? ownTls) : failures[failure]
  const known = proxyRemedies[code] ?? tls
  const remedy = known ?? (ofProxy || code === "CONNECT_TIMEOUT" ? whichProxy : remedies[failure])
  return (
    `Connection failed: ${what} ${where(origin, proxy)}${code === "" ? "" : ` (${code})`}. ` +
    `${sentOr(error)} ${remedy}`
  )
}
