import { Effect, Redacted, Stream } from "effect"

type EffectOrStream = Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>

/**
 * What `withAccessToken` gives: for effects and for streams.
 *
 * @since 0.1.0
 * @category models
 */
export type AsUser = <A extends EffectOrStream>(asked: A) => A

export const redacted = (jwt: string | Redacted.Redacted): Redacted.Redacted =>
  typeof jwt === "string" ? Redacted.make(jwt) : jwt

/** Of how an effect is run as somebody: how a stream is, too. */
export const asUserBy = (as: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>): AsUser => {
  function asUser<A extends EffectOrStream>(asked: A): A
  function asUser(asked: EffectOrStream): unknown {
    if (Effect.isEffect(asked)) return as(asked)
    // Each pull, so that the consumer between two of them is who it was.
    return Stream.unwrapScoped(Effect.map(as(Stream.toPull(asked)), (pull) => Stream.repeatEffectChunkOption(as(pull))))
  }
  return asUser
}
