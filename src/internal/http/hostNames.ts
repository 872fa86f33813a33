/** Whether a name in `Host` is one of the server's. Pure. */
import { isIPv4, isIPv6, isLoopback } from "./addresses.js"

export interface Names {
  /** In lower case. */
  readonly allowedHosts: ReadonlyArray<string>
  readonly host: string
}

/** The name in `Host`, as a URL has it; undefined if it is not a name. */
export const nameOf = (host: string | undefined): string | undefined => {
  if (host === undefined || !/^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d*)?$/i.test(host)) return undefined
  const url = `http://${host}/`
  if (!URL.canParse(url)) return undefined
  return new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
}

const isLoopbackName = (name: string): boolean =>
  name === "localhost" || name.endsWith(".localhost") || isLoopback(name)

/** `*.example.com` is every name below it, `*` every name. */
const isAllowed = (name: string, allowed: string): boolean => {
  if (allowed === "*") return true
  return allowed.startsWith("*.") ? name.endsWith(allowed.slice(1)) : name === allowed
}

/** Whether a server that listens there answers to that name; `undefined` is a missing or invalid name. */
export const answersTo = (name: string | undefined, { allowedHosts, host }: Names, onLoopback: boolean): boolean => {
  if (allowedHosts.includes("*")) return true
  if (name === undefined) return false
  // A page whose name is an address comes from that address.
  if (isLoopbackName(name) || (!onLoopback && (isIPv4(name) || isIPv6(name)))) return true
  return name === host.toLowerCase() || allowedHosts.some((allowed) => isAllowed(name, allowed))
}
