import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { Effect, Redacted } from "effect"

/** 192 random bits, as URL-safe text. */
export const make: Effect.Effect<Redacted.Redacted> = Effect.sync(() =>
  Redacted.make(randomBytes(24).toString("base64url"))
)

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compares in constant time, for any lengths. */
export const matches = (expected: Redacted.Redacted, given: string): boolean =>
  timingSafeEqual(digest(Redacted.value(expected)), digest(given))
