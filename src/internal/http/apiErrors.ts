/** Failed operations for clients of an `HttpApi`: errors with statuses, from the API's definition. */
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { type DbError, isDbError } from "../../Errors.js"
import { withAccessToken } from "../db/accessors.js"
import { headersOf, type Verdict, verdictOf } from "./failureResponse.js"

const fields = { error: Schema.String }

/**
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends Schema.TaggedError<BadRequest>()(
  "BadRequest",
  fields,
  HttpApiSchema.annotations({ status: 400 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  fields,
  HttpApiSchema.annotations({ status: 401 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class Forbidden extends Schema.TaggedError<Forbidden>()(
  "Forbidden",
  fields,
  HttpApiSchema.annotations({ status: 403 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class NotFound extends Schema.TaggedError<NotFound>()(
  "NotFound",
  fields,
  HttpApiSchema.annotations({ status: 404 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class Conflict extends Schema.TaggedError<Conflict>()(
  "Conflict",
  fields,
  HttpApiSchema.annotations({ status: 409 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()(
  "TooManyRequests",
  fields,
  HttpApiSchema.annotations({ status: 429 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class ServerFailed extends Schema.TaggedError<ServerFailed>()(
  "ServerFailed",
  fields,
  HttpApiSchema.annotations({ status: 500 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class BadGateway extends Schema.TaggedError<BadGateway>()(
  "BadGateway",
  fields,
  HttpApiSchema.annotations({ status: 502 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  fields,
  HttpApiSchema.annotations({ status: 503 })
) {}

/**
 * @since 0.1.0
 * @category errors
 */
export class GatewayTimeout extends Schema.TaggedError<GatewayTimeout>()(
  "GatewayTimeout",
  fields,
  HttpApiSchema.annotations({ status: 504 })
) {}

/**
 * Every error of an endpoint whose operation has failed: `.addError(Http.Failed)`. Each has its status, and `error` is a
 * text for the client.
 *
 * @since 0.1.0
 * @category errors
 */
export const Failed = Schema.Union(
  BadRequest,
  Unauthorized,
  Forbidden,
  NotFound,
  Conflict,
  TooManyRequests,
  ServerFailed,
  BadGateway,
  Unavailable,
  GatewayTimeout
)

/**
 * @since 0.1.0
 * @category errors
 */
export type Failed =
  | BadRequest
  | Unauthorized
  | Forbidden
  | NotFound
  | Conflict
  | TooManyRequests
  | ServerFailed
  | BadGateway
  | Unavailable
  | GatewayTimeout

/** A status that the definition lacks becomes the nearest one that it has. */
const errorOf = ({ error, status }: Verdict): Failed => {
  switch (status) {
    case 401:
      return new Unauthorized({ error })
    case 403:
      return new Forbidden({ error })
    case 404:
      return new NotFound({ error })
    case 409:
      return new Conflict({ error })
    case 429:
      return new TooManyRequests({ error })
    case 502:
      return new BadGateway({ error })
    case 503:
      return new Unavailable({ error })
    case 504:
      return new GatewayTimeout({ error })
    default:
      return status < 500 ? new BadRequest({ error }) : new ServerFailed({ error })
  }
}

/** Errors of an `HttpApi` have no headers, so these are set on the finished answer. */
const withHeaders = (headers: Readonly<Record<string, string>>): Effect.Effect<void> =>
  Object.keys(headers).length === 0
    ? Effect.void
    : HttpApp.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeaders(response, headers))
      )

export function fail<E>(error: E): Effect.Effect<never, Failed | Exclude<E, DbError>>
export function fail(error: unknown): Effect.Effect<never, unknown> {
  if (!isDbError(error)) return Effect.fail(error)
  const verdict = verdictOf(error)
  return Effect.zipRight(withHeaders(headersOf(verdict)), Effect.fail(errorOf(verdict)))
}

/**
 * The client's access token, if `Bearer` guards the endpoint.
 *
 * @since 0.1.0
 * @category tags
 */
export class AccessToken extends Context.Tag("effect-supabase-pool/Http/AccessToken")<
  AccessToken,
  Redacted.Redacted
>() {}

const missing: Verdict = {
  status: 401,
  error: "The access token is missing.",
  headers: { "www-authenticate": "Bearer" }
}

/**
 * Takes the access token of a request (`Authorization: Bearer …`) and passes it to the endpoint; 401 without one. The
 * database decides whether it is valid.
 *
 * @since 0.1.0
 * @category tags
 */
export class Bearer extends HttpApiMiddleware.Tag<Bearer>()("effect-supabase-pool/Http/Bearer", {
  provides: AccessToken,
  failure: Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {
  static readonly layer: Layer.Layer<Bearer> = Layer.succeed(
    Bearer,
    Bearer.of({
      // After decoding, any other scheme would look like a bearer token.
      bearer: () =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
          const token = /^Bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1]
          return token === undefined
            ? Effect.zipRight(withHeaders(headersOf(missing)), Effect.fail(new Unauthorized(missing)))
            : Effect.succeed(Redacted.make(token))
        })
    })
  )
}

export const asBearer = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | AccessToken> =>
  Effect.flatMap(AccessToken, (token) => withAccessToken(token)(effect))
