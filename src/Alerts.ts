/**
 * Notifies somebody when the database or a pool is unhealthy, and when it has recovered.
 *
 * A rule is a value: a condition on a sample, a severity, and delays. It fires only after its condition has held for a
 * while, resolves only after it has not held for a while, and is not announced again before a cool-down, so that a pool on
 * the edge of a threshold sends one notification and not a hundred. A sink, which receives notifications, is a value too:
 * the log, Slack, or any function. Each sink has a bounded queue and its own fiber; a broken one is logged once and affects
 * neither the pool nor the other sinks.
 *
 * Events that wait for a sink when the scope closes are dropped: a shutdown does not wait for Slack.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import { Context, Duration, Effect, Layer, Option, PubSub, type Redacted, Ref, type Scope, Stream } from "effect"
import { ServerConfig } from "./Config.js"
import * as Health from "./Health.js"
import * as Board from "./internal/alerts/board.js"
import * as Delivery from "./internal/alerts/delivery.js"
import * as Rules from "./internal/alerts/rules.js"
import * as Slack from "./internal/alerts/slack.js"
import * as watch from "./internal/alerts/watch.js"
import { byService, oncePer } from "./internal/shared/oncePer.js"
import type * as Pool from "./Pool.js"

// -------------------------------------------------------------------------------------
// models
// -------------------------------------------------------------------------------------

/**
 * The input of rules: the health check's figures, and those of both pools.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sample extends Health.Sample {
  /** When it was taken, in ms since the epoch. */
  readonly at: number
  readonly status: Health.Status
  /** Why the status is not `healthy`. */
  readonly reasons: ReadonlyArray<string>
  /** Why the database could not be reached. */
  readonly error: Option.Option<string>
  readonly read: Pool.PoolMetrics
  readonly write: Pool.PoolMetrics
}

/**
 * `critical`: worth waking somebody; `warning`: somebody should look today; `info`: worth knowing.
 *
 * @since 0.1.0
 * @category models
 */
export type Severity = "info" | "warning" | "critical"

/**
 * When to alert. Plain data but for `when`, so a built-in one is changed by spreading it.
 *
 * @example
 * import { Alerts } from "effect-supabase-pool"
 * import { Duration, Option } from "effect"
 *
 * const queue: Alerts.Rule = {
 *   name: "queue",
 *   summary: "Operations queue for the database",
 *   severity: "warning",
 *   when: ({ read }) => (read.pending > 100 ? Option.some(`${read.pending} wait for a read connection`) : Option.none()),
 *   holdFor: "20 seconds"
 * }
 *
 * const patient: Alerts.Rule = { ...Alerts.responseTimeAbove(Duration.seconds(2)), holdFor: "5 minutes" }
 *
 * export const layer = Alerts.layer({ rules: [...Alerts.defaultRules, queue, patient] })
 *
 * @since 0.1.0
 * @category models
 */
export interface Rule {
  /** Unique; a later rule replaces an earlier one of the same name. */
  readonly name: string
  readonly severity: Severity
  /**
   * Whether the condition holds: an `Option` of the problem in figures, which notifications quote. A rule that throws is
   * logged once, and its alert stays as it was.
   */
  readonly when: (sample: Sample) => boolean | Option.Option<string>
  /** The headline of its notifications. Default: the name. */
  readonly summary?: string | undefined
  /** It fires when its condition has held in every sample for this long. Default: 30 seconds. */
  readonly holdFor?: Duration.DurationInput | undefined
  /** It resolves when its condition has held in no sample for this long. Default: 1 minute. */
  readonly resolveAfter?: Duration.DurationInput | undefined
  /**
   * If it fires again within this time after an announcement, it is active, but announced only if it lasts that long.
   * Default: 5 minutes.
   */
  readonly coolDown?: Duration.DurationInput | undefined
  /** While it lasts it is announced again this often; `Duration.infinity` for never. Default: 4 hours. */
  readonly remindAfter?: Duration.DurationInput | undefined
}

/**
 * A rule that fires.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert {
  /** The rule's name. */
  readonly rule: string
  readonly severity: Severity
  readonly summary: string
  /** The last known problem; empty if the rule gives none. */
  readonly detail: string
  /** When the condition began to hold, in ms since the epoch. */
  readonly since: number
  /** When it had held long enough. */
  readonly firedAt: number
  /** Since when the condition does not hold any more; absent while it does. It resolves when that has lasted. */
  readonly fineSince?: number
}

/**
 * A rule whose condition holds, and not for long enough yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingAlert {
  /** The rule's name. */
  readonly rule: string
  readonly severity: Severity
  readonly summary: string
  /** The problem; empty if the rule gives none. */
  readonly detail: string
  /** When the condition began to hold, in ms since the epoch. */
  readonly since: number
  /** When it fires, in ms since the epoch, if its condition still holds in the first sample from then on. */
  readonly firesAt: number
}

/**
 * A notification: each alert sends `fired`, then perhaps `reminded`, then `resolved` once.
 *
 * @since 0.1.0
 * @category models
 */
export interface AlertEvent {
  readonly type: "fired" | "reminded" | "resolved"
  /** In ms since the epoch. */
  readonly at: number
  readonly alert: Alert
  readonly sample: Sample
}

/**
 * Where events go. `send` may fail, die or hang: it is interrupted after five minutes, its events wait in their own queue
 * (64; then the oldest are dropped), and its first failure is logged.
 *
 * @example
 * import { Alerts } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * const pager = (page: (text: string) => Promise<void>): Alerts.Sink => ({
 *   name: "pager",
 *   send: ({ alert, type }) =>
 *     alert.severity === "critical" && type === "fired" ? Effect.tryPromise(() => page(alert.summary)) : Effect.void
 * })
 *
 * export const layer = Alerts.layer({ sinks: [Alerts.log, pager(async (_text) => {})] })
 *
 * @since 0.1.0
 * @category models
 */
export interface Sink<out R = never> {
  readonly name: string
  readonly send: (event: AlertEvent) => Effect.Effect<unknown, unknown, R>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SlackOptions {
  /** The incoming webhook's URL. It is in no log line, span or error. */
  readonly webhook: Redacted.Redacted
  /** Only legacy webhooks look at it; others have a channel of their own. */
  readonly channel?: string | undefined
  /** How often an event is tried, 1 s, 2 s, 4 s … apart; at least once. Default: 5 times. */
  readonly attempts?: number | undefined
  /** The longest that one attempt may take. Default: 10 seconds. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AlertsOptions<R = never> {
  /** Default: `defaultRules`. */
  readonly rules?: ReadonlyArray<Rule> | undefined
  /** Default: `[log]`. */
  readonly sinks?: ReadonlyArray<Sink<R>> | undefined
  /** How often a sample is taken. Each asks the database one small question. Default: 10 seconds. */
  readonly interval?: Duration.DurationInput | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AlertsService {
  /** Alerts that fire at the moment, announced or not. */
  readonly active: Effect.Effect<ReadonlyArray<Alert>>
  /** Rules whose condition holds, and which fire if it lasts. */
  readonly pending: Effect.Effect<ReadonlyArray<PendingAlert>>
  /** From the moment of listening; a listener that falls more than 256 events behind loses the oldest. */
  readonly events: Stream.Stream<AlertEvent>
}

/**
 * @since 0.1.0
 * @category tags
 */
export class Alerts extends Context.Tag("effect-supabase-pool/Alerts")<Alerts, AlertsService>() {}

// -------------------------------------------------------------------------------------
// rules
// -------------------------------------------------------------------------------------

/**
 * A pool's active connections as a share of its maximum, 0 to 1; the fuller pool counts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const utilizationAbove = (share: number): Rule => ({
  name: "utilization",
  summary: "Database pool nearly exhausted",
  severity: "warning",
  when: Rules.utilization(share)
})

/**
 * Failed operations as a share of the last minute's, 0 to 1.
 *
 * @since 0.1.0
 * @category constructors
 */
export const errorRateAbove = (share: number): Rule => ({
  name: "error-rate",
  summary: "Database operations fail",
  severity: "critical",
  when: Rules.errorRate(share)
})

/**
 * Mean duration of the last minute's operations, waiting and retries included.
 *
 * @since 0.1.0
 * @category constructors
 */
export const responseTimeAbove = (average: Duration.DurationInput): Rule => ({
  name: "response-time",
  summary: "Database operations are slow",
  severity: "warning",
  when: Rules.responseTime(Duration.decode(average))
})

/**
 * Pools that reclaimed a leaked connection in the last minute. It fires at once: a leak is not a state that could pass.
 *
 * @since 0.1.0
 * @category constructors
 */
export const leaksAbove = (pools: number): Rule => ({
  name: "leaks",
  summary: "Database connections leak",
  severity: "warning",
  when: Rules.leaks(pools),
  holdFor: Duration.zero
})

/**
 * The database cannot be reached.
 *
 * @since 0.1.0
 * @category constructors
 */
export const poolUnhealthy: Rule = {
  name: "unhealthy",
  summary: "Database pool unhealthy",
  severity: "critical",
  when: Rules.unhealthy
}

/**
 * From the original guide ("Key Metrics to Monitor"): utilisation above 80 %, more than 5 % failed, above 1000 ms on
 * average, any leak, and the pool unhealthy.
 *
 * @since 0.1.0
 * @category constructors
 */
export const defaultRules: ReadonlyArray<Rule> = [
  poolUnhealthy,
  errorRateAbove(Health.thresholds.errorRate),
  utilizationAbove(Health.thresholds.utilization),
  responseTimeAbove(Health.thresholds.averageResponseTime),
  leaksAbove(Health.thresholds.leaks)
]

/**
 * The input of rules, from a health report: to try a rule in a test, or to evaluate one elsewhere.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sampleOf: (report: Health.HealthReport) => Sample = watch.sampleOf

// -------------------------------------------------------------------------------------
// sinks
// -------------------------------------------------------------------------------------

/**
 * One warning when an alert fires and at each reminder, one line at info when it resolves; the figures are annotations.
 *
 * @since 0.1.0
 * @category sinks
 */
export const log: Sink = { name: "the log", send: watch.logEvent }

/**
 * Posts to a Slack incoming webhook. An event that Slack does not accept (no connection, no answer, 429, 5xx) is sent again,
 * even when the answer was lost, so that it may rarely appear twice; on any other refusal it is dropped.
 *
 * @example
 * import { FetchHttpClient } from "@effect/platform"
 * import { Alerts } from "effect-supabase-pool"
 * import { Layer, Redacted } from "effect"
 *
 * const webhook = Redacted.make("https://hooks.slack.com/services/T0/B0/secret")
 *
 * export const layer = Alerts.layer({ sinks: [Alerts.log, Alerts.slack({ webhook })] }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 *
 * @since 0.1.0
 * @category sinks
 */
export const slack = (options: SlackOptions): Sink<HttpClient.HttpClient> => ({
  name: "Slack",
  send: Slack.send(options)
})

// -------------------------------------------------------------------------------------
// layers
// -------------------------------------------------------------------------------------

const eventBuffer = 256

const make = <R>(options: AlertsOptions<R>): Effect.Effect<AlertsService, never, Health.Health | R | Scope.Scope> =>
  Effect.gen(function* () {
    const { check } = yield* Health.Health
    const board = yield* Ref.make(Board.empty)
    const told = yield* PubSub.sliding<AlertEvent>(eventBuffer)
    const post = yield* Delivery.open<R>(options.sinks ?? [log])
    yield* watch.run({
      check,
      board,
      rules: Board.prepare(options.rules ?? defaultRules),
      interval: Duration.decode(options.interval ?? Duration.seconds(10)),
      tell: (event) => Effect.zipRight(PubSub.publish(told, event), post(event))
    })
    return {
      active: Effect.map(Ref.get(board), Board.active),
      pending: Effect.map(Ref.get(board), Board.pending),
      events: Stream.fromPubSub(told)
    }
  })

/**
 * Watches until its scope closes. The layer requires what its sinks require.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  options: AlertsOptions<R> = {}
): Layer.Layer<Alerts, never, Health.Health | Exclude<R, Scope.Scope>> => Layer.scoped(Alerts, make(options))

/**
 * The default rules to the log, and to Slack where `DB_POOL_SLACK_WEBHOOK_URL` is set.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerServer: Layer.Layer<Alerts, never, Health.Health | ServerConfig | HttpClient.HttpClient> = oncePer(
  byService(() => Health.Health),
  () =>
    Layer.unwrapEffect(
      Effect.map(ServerConfig, ({ slackWebhookUrl }) =>
        layer({ sinks: [log, ...Option.toArray(slackWebhookUrl).map((webhook) => slack({ webhook }))] })
      )
    )
)

/**
 * The alerts that fire now, in the order of their rules.
 *
 * @example
 * import { Alerts } from "effect-supabase-pool"
 * import { Effect } from "effect"
 *
 * export const somethingIsCritical = Effect.map(Alerts.active, (alerts) =>
 *   alerts.some(({ severity }) => severity === "critical")
 * )
 *
 * @since 0.1.0
 * @category accessors
 */
export const active: Effect.Effect<ReadonlyArray<Alert>, never, Alerts> = Effect.flatMap(Alerts, (_) => _.active)

/**
 * Announced events, from the moment of listening.
 *
 * @since 0.1.0
 * @category accessors
 */
export const events: Stream.Stream<AlertEvent, never, Alerts> = Stream.unwrap(Effect.map(Alerts, (_) => _.events))
