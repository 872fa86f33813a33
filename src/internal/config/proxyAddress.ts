/** The address of a proxy, and the login that may be in it. */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

export interface HttpProxy {
  /** Without the login. */
  readonly url: URL
  /** Header for the proxy alone. */
  readonly authorization: Redacted.Redacted | undefined
}

/** A password may contain `://` too: only a prefix is a scheme. */
const withScheme = /^[a-z][a-z\d+.-]*:\/\//i

/** The form of a proxy's address; characters that would end a login early must be percent-encoded. */
export const proxyForm =
  "http://host:port or http://user:password@host:port, with / ? # in a login percent-encoded (%2F %3F %23)"

/** Undefined if it is not a proxy's address. The default port is the scheme's, 80 or 443, as in Node (1080 in curl). */
export const parseProxy = (text: string): HttpProxy | undefined => {
  const hasScheme = withScheme.test(text)
  const full = hasScheme ? text : `http://${text}`
  if (!URL.canParse(full)) return undefined
  const url = new URL(full)
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return undefined
  // `http:/host`: the scheme would be read as the host.
  if (!hasScheme && url.pathname !== "/") return undefined
  // An unencoded login ends the host early: the text after it is a part of the login.
  if (`${url.pathname}${url.search}${url.hash}`.includes("@")) return undefined
  const { password, username } = url
  if (username === "" && password === "") return { url, authorization: undefined }
  const plain = (part: string): string => Option.getOrElse(Option.liftThrowable(decodeURIComponent)(part), () => part)
  url.username = ""
  url.password = ""
  const login = Buffer.from(`${plain(username)}:${plain(password)}`).toString("base64")
  return { url, authorization: Redacted.make(`Basic ${login}`) }
}
