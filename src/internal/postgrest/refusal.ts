import * as Schema from "effect/Schema"

/** A request that is answered with an error, in the words of PostgREST. Thrown by the parts that read a request. */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  status: Schema.Int,
  code: Schema.String,
  message: Schema.String,
  details: Schema.Unknown,
  hint: Schema.NullOr(Schema.String),
  headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String }))
}) {}

export const refuse = (
  status: number,
  code: string,
  message: string,
  details: unknown = null,
  hint: string | null = null
): never => {
  throw new Refusal({ status, code, message, details, hint })
}

/** What a real PostgREST does and this one does not: never an answer that only looks like its own. */
export const notHere = (what: string): never =>
  refuse(
    501,
    "0A000",
    `The embedded database does not answer ${what}`,
    "A real PostgREST does. Nothing was read or changed.",
    "Run this on a hosted project, or with `supabase start`; docs/testing.md lists what differs."
  )

export const responseOf = (refusal: Refusal): Response => {
  const { code, details, headers, hint, message, status } = refusal
  return new Response(JSON.stringify({ code, details, hint, message }), {
    status,
    headers: {
      "Content-Type": "application/json; charset=utf-8",
      "Proxy-Status": `PostgREST; error=${code}`,
      ...headers
    }
  })
}
