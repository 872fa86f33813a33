/**
 * Access tokens that are asked for when they are sent, and again for each attempt: who waited in a queue, or for a
 * repetition, does not send one that has expired meanwhile.
 *
 * Until then something stands in the token's place that no header can carry, so that whoever does not know of it sends nothing.
 */
import { Effect, Exit, type Fiber, Option, Redacted } from "effect"
import { QueryError } from "../../Errors.js"
import { caller, outside } from "../shared/asyncContext.js"
import { Deadline, type Deadlines } from "../shared/deadlines.js"

/** What a caller's function gives; what it should be is a text. */
export type AskForToken = () => unknown

const sources: WeakMap<Redacted.Redacted, TokenSource> = new WeakMap()

/** What the token is asked of, where it has to be. */
export const sourceOf = (token: Redacted.Redacted): TokenSource | undefined => sources.get(token)

let made = 0

const noToken = (reason: string, hint: string): QueryError =>
  new QueryError({ code: "INVALID_TOKEN", reason, details: "", hint, status: 0 })

const isPromiseLike = (u: unknown): u is PromiseLike<unknown> =>
  typeof u === "object" && u !== null && "then" in u && typeof u.then === "function"

/** The last token that it gave: connections keep a client for each object, so that one text shall be one. */
export class TokenFunction {
  readonly ask: AskForToken
  #last: Redacted.Redacted | undefined

  constructor(ask: AskForToken) {
    this.ask = ask
  }

  /** Nobody's token is no reason to send with another. */
  given(token: unknown): Given {
    if (typeof token !== "string") {
      return Exit.fail(
        noToken(
          `the function for the access token gave ${token === null ? "null" : `a value of type ${typeof token}`}. Nothing was sent`,
          "Let it give the user's access token, or throw where nobody is signed in."
        )
      )
    }
    if (this.#last === undefined || Redacted.value(this.#last) !== token) this.#last = Redacted.make(token)
    return Exit.succeed(this.#last)
  }
}

type Given = Exit.Exit<Redacted.Redacted, QueryError>

const tooLate = (limit: number): QueryError =>
  noToken(
    `the function for the access token gave none within ${limit} ms (requestTimeout). Nothing was sent`,
    "Let it end: a token is asked for while a connection is held."
  )

/** Who waits for a function's promise without a fiber. */
class Pending extends Deadline {
  private told: ((token: Given) => void) | undefined
  private readonly deadlines: Deadlines

  constructor(deadlines: Deadlines, limit: number, told: (token: Given) => void) {
    super()
    this.deadlines = deadlines
    this.told = told
    this.onExpire = Effect.sync(() => this.end(Exit.fail(tooLate(limit))))
    deadlines.add(this)
  }

  readonly onExpire: Effect.Effect<void>

  end(token: Given): void {
    const { told } = this
    this.told = undefined
    this.deadlines.remove(this)
    told?.(token)
  }
}

/** Of one operation: two of them are never taken for one user, though their function is one. */
export class TokenSource {
  #placeholder: Redacted.Redacted | undefined
  private readonly from: TokenFunction
  private readonly limit: number

  /** `limit`: the longest that the function may take, in ms. */
  constructor(from: TokenFunction, limit: number) {
    this.from = from
    this.limit = limit
  }

  /** Stands for the token where one is looked for in a fiber. */
  get placeholder(): Redacted.Redacted {
    if (this.#placeholder === undefined) {
      made += 1
      this.#placeholder = Redacted.make(`a token that is asked for\n${made}`)
      sources.set(this.#placeholder, this)
    }
    return this.#placeholder
  }

  /**
   * As `now` of a caller without a fiber, in whose context this is called. `told` is told once, at once where the function
   * gives no promise. `deadlines` are of the limit.
   */
  soon(deadlines: Deadlines, told: (token: Given) => void): void {
    const { from, limit } = this
    let answer: unknown
    try {
      answer = from.ask()
      if (isPromiseLike(answer)) {
        const pending = new Pending(deadlines, limit, told)
        answer.then(
          (token) => outside(() => pending.end(from.given(token))),
          (thrown) => outside(() => pending.end(Exit.die(thrown)))
        )
        return
      }
    } catch (thrown) {
      told(Exit.die(thrown))
      return
    }
    told(from.given(answer))
  }

  /** What it is now. What the function throws is a defect. */
  readonly now: Effect.Effect<Redacted.Redacted, QueryError> = Effect.withFiberRuntime((fiber) => this.askedBy(fiber))

  private askedBy(fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<Redacted.Redacted, QueryError> {
    const { from, limit } = this
    const context = fiber.getFiberRef(caller)
    const within = <A>(f: () => A): A => (context === undefined ? f() : context.run(f))
    return Effect.flatMap(
      Effect.sync(() => within(from.ask)),
      (answer) => {
        if (!isPromiseLike(answer)) return from.given(answer)
        const later = Effect.async<Redacted.Redacted, QueryError>((resume) => {
          const go = (effect: Effect.Effect<Redacted.Redacted, QueryError>): void =>
            context === undefined ? resume(effect) : outside(() => resume(effect))
          within(() =>
            answer.then(
              (token) => go(from.given(token)),
              (thrown) => go(Effect.die(thrown))
            )
          )
        })
        return Effect.flatMap(Effect.timeoutOption(later, limit), (token) =>
          Option.isSome(token) ? Effect.succeed(token.value) : Effect.fail(tooLate(limit))
        )
      }
    )
  }
}
