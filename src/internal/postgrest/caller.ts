import { createHmac, timingSafeEqual } from "node:crypto"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Refusal } from "./refusal.js"

/** The caller: its role, and the claims of its token. */
export interface Caller {
  readonly role: string
  readonly claims: Readonly<Record<string, unknown>>
}

export interface Keys {
  readonly anonKey: string
  readonly serviceRoleKey: string
  readonly jwtSecret: string
}

const Claims = Schema.parseJson(
  Schema.Struct(
    {
      role: Schema.optional(Schema.String),
      exp: Schema.optional(Schema.Number),
      iat: Schema.optional(Schema.Number),
      nbf: Schema.optional(Schema.Number)
    },
    { key: Schema.String, value: Schema.Unknown }
  )
)

const Head = Schema.parseJson(Schema.Struct({ alg: Schema.Literal("HS256") }))

const refused = (code: "PGRST301" | "PGRST303", message: string): never => {
  const description = `Bearer error="invalid_token", error_description="${message}"`
  throw new Refusal({
    status: 401,
    code,
    message,
    details: null,
    hint: null,
    headers: { "WWW-Authenticate": description }
  })
}

const same = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other)

/** Seconds by which the clocks of who signs and who reads may differ. */
const leeway = 30

const verified = (token: string, secret: string, now: number): Caller => {
  const parts = token.split(".")
  const [head = "", body = "", signature = ""] = parts
  if (parts.length !== 3) return refused("PGRST301", `Expected 3 parts in JWT; got ${parts.length}`)
  if (Option.isNone(Schema.decodeOption(Head)(Buffer.from(head, "base64url").toString()))) {
    return refused("PGRST301", "No suitable key or wrong key type")
  }
  const expected = createHmac("sha256", secret).update(`${head}.${body}`).digest()
  if (!same(Buffer.from(signature, "base64url"), expected)) {
    return refused("PGRST301", "No suitable key was found to decode the JWT")
  }
  const claims = Schema.decodeOption(Claims)(Buffer.from(body, "base64url").toString())
  if (Option.isNone(claims)) return refused("PGRST303", "Parsing claims failed")
  const { exp, iat, nbf, role } = claims.value
  if (exp !== undefined && exp + leeway < now) return refused("PGRST303", "JWT expired")
  if (nbf !== undefined && nbf - leeway > now) return refused("PGRST303", "JWT not yet valid")
  if (iat !== undefined && iat - leeway > now) return refused("PGRST303", "JWT issued at future")
  return { role: role ?? "anon", claims: claims.value }
}

const byKey = (keys: Keys, key: string | null): Caller | undefined => {
  if (key === keys.anonKey) return { role: "anon", claims: { role: "anon" } }
  return key === keys.serviceRoleKey ? { role: "service_role", claims: { role: "service_role" } } : undefined
}

/**
 * The caller of a request, or undefined for an unknown API key: the gateway answers that. `now` is in seconds. A key in
 * `Authorization` stands for its role; any other text there is a token, and is refused if it is not a JWT.
 */
export const callerOf = (request: Request, keys: Keys, now: number): Caller | undefined => {
  const url = new URL(request.url)
  const key = byKey(keys, request.headers.get("apikey") ?? url.searchParams.get("apikey"))
  if (key === undefined) return undefined
  const token = /^bearer +(.*)$/is.exec(request.headers.get("authorization") ?? "")?.[1]?.trim()
  if (token === undefined) return key
  return byKey(keys, token) ?? verified(token, keys.jwtSecret, now)
}
