import { createHmac, randomBytes } from "node:crypto"

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A JSON Web Token signed with HMAC SHA-256, which is what Supabase's own access tokens are. */
export const signed = (secret: string, claims: Readonly<Record<string, unknown>>): string => {
  const body = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`
}

/** 192 bits: one start's secret is of no use to the next. */
export const randomSecret = (): string => randomBytes(24).toString("base64url")

/** Fit for a name in SQL, without quotes. */
export const randomName = (): string => randomBytes(8).toString("hex")
