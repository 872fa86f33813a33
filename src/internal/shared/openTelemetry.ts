/**
 * The OpenTelemetry of the application, where it has one. Nothing is imported for it: the copies of `@opentelemetry/api` 1.x find
 * what was registered, and each other's keys, by symbols that all of them know. So it is found in a bundle as well, and
 * whoever has none pays for looking up one name.
 */

/** As far as it is used here. */
export interface OtelContext {
  readonly getValue: (key: symbol) => unknown
  readonly setValue: (key: symbol, value: unknown) => OtelContext
}

interface ContextManager {
  readonly active: () => OtelContext
  readonly with: <A>(context: OtelContext, f: () => A) => A
}

const registry = Symbol.for("opentelemetry.js.api.1")

/** `suppressTracing` of `@opentelemetry/core`. */
const suppressed = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING")

const isManager = (u: unknown): u is ContextManager =>
  typeof u === "object" && u !== null && "active" in u && "with" in u

/** What was registered under this name: `trace`, `context`. */
export const registered = (name: string): unknown => {
  const all: unknown = Reflect.get(globalThis, registry)
  return typeof all === "object" && all !== null ? Reflect.get(all, name) : undefined
}

export const contextManager = (): ContextManager | undefined => {
  const manager = registered("context")
  return isManager(manager) ? manager : undefined
}

/** Runs work that belongs to no caller: an instrumentation makes no spans of it. */
export const untraced = <A>(f: () => A): A => {
  const manager = contextManager()
  return manager === undefined ? f() : manager.with(manager.active().setValue(suppressed, true), f)
}
