/** The address of a proxy, and the login that may be in it. */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

export interface HttpProxy {
  /** Without the login. */
  readonly url: URL
  /** Header for the proxy alone. */
  readonly authorization: Redacted.Redacted | undefined
}

/** Undefined where it is no address of a proxy. */
export const parseProxy = (text: string): HttpProxy | undefined => {
  const full = text.includes("://") ? text : `http://${text}`
  if (!URL.canParse(full)) return undefined
  const url = new URL(full)
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return undefined
  // A login whose characters are not in code ends the host early: what stands there is a part of it.
  if (`${url.pathname}${url.search}${url.hash}`.includes("@")) return undefined
  const { password, username } = url
  if (username === "" && password === "") return { url, authorization: undefined }
  const plain = (part: string): string => Option.getOrElse(Option.liftThrowable(decodeURIComponent)(part), () => part)
  url.username = ""
  url.password = ""
  const login = Buffer.from(`${plain(username)}:${plain(password)}`).toString("base64")
  return { url, authorization: Redacted.make(`Basic ${login}`) }
}
