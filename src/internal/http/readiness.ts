import { Context, Layer, Ref } from "effect"

/**
 * Whether the process accepts traffic, apart from the database's health.
 *
 * @since 0.1.0
 * @category tags
 */
export class Readiness extends Context.Tag("effect-supabase-pool/Readiness")<
  Readiness,
  Ref.Ref<"ready" | "starting" | "draining">
>() {
  /** Starts as `starting`. */
  static readonly layer: Layer.Layer<Readiness> = Layer.effect(
    Readiness,
    Ref.make<"ready" | "starting" | "draining">("starting")
  )
}
