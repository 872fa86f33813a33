/**
 * A Slack incoming webhook. Its URL is a secret: anyone who knows it may post. So the request is not traced, and failures
 * are described in our own words, since the client's errors contain the URL.
 */
import type * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Cause, Clock, Data, DateTime, Duration, Effect, Exit, Option, Redacted, Schedule } from "effect"
import type { AlertEvent, Severity, SlackOptions } from "../../Alerts.js"
import { longestRetryAfter, parseRetryAfter } from "../../Retry.js"
import { count, oneLine, period } from "../shared/text.js"

const defaults = {
  attempts: 5,
  attemptTimeout: Duration.seconds(10),
  firstDelay: Duration.seconds(1)
}

class SlackFailed extends Data.TaggedError("SlackFailed")<{
  readonly message: string
  readonly isTransient: boolean
  readonly retryAfter: Duration.Duration
}> {}

// -------------------------------------------------------------------------------------
// payload
// -------------------------------------------------------------------------------------

const icons: Readonly<Record<Severity, string>> = { info: "ℹ️", warning: "⚠️", critical: "🚨" }

/** Slack's three control characters: without this a detail could mention a whole channel. */
const escaped = (text: string): string =>
  oneLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const headline = ({ alert, sample, type }: AlertEvent): string => {
  const icon = type === "resolved" ? "✅" : icons[alert.severity]
  const lead = type === "resolved" ? "Resolved: " : type === "reminded" ? "Still: " : ""
  const { read, write } = sample
  const connections = `${read.active + write.active}/${read.total + write.total} connections`
  return `${icon} ${lead}${escaped(alert.summary)}: ${connections}`
}

/** The payload for Slack: `text` for notifications and old clients, `blocks` for the rest. */
const payload = (event: AlertEvent, channel: string | undefined) => {
  const { alert, at, type } = event
  const text = headline(event)
  const lasted = type === "resolved" ? "lasted" : "for"
  const context = [
    `severity *${alert.severity}*`,
    escaped(alert.rule),
    `since ${DateTime.formatIso(DateTime.unsafeMake(alert.since))}`,
    `${lasted} ${period(Duration.millis(at - alert.since))}`
  ].join(" · ")
  const detail = alert.detail === "" ? "" : `\n${escaped(alert.detail)}`
  return {
    ...(channel === undefined ? {} : { channel }),
    text,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: `*${text}*${detail}` } },
      { type: "context", elements: [{ type: "mrkdwn", text: context }] }
    ]
  }
}

// -------------------------------------------------------------------------------------
// sending
// -------------------------------------------------------------------------------------

const refused = (status: number, headers: Headers.Headers): Effect.Effect<never, SlackFailed> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const asked = parseRetryAfter(headers["retry-after"] ?? null, now) ?? Duration.zero
    const isTransient = status === 429 || status >= 500
    return Effect.fail(
      new SlackFailed({
        message: `it answered ${status}`,
        isTransient,
        retryAfter: Duration.min(asked, longestRetryAfter)
      })
    )
  })

const failed = (message: string, isTransient: boolean): SlackFailed =>
  new SlackFailed({ message, isTransient, retryAfter: Duration.zero })

const unreachable = (error: HttpClientError.HttpClientError): SlackFailed =>
  error.reason === "InvalidUrl" || error.reason === "Encode"
    ? failed(`the request could not be made (${error.reason})`, false)
    : failed(`the connection failed (${error.reason})`, true)

/** Any other failure, a defect of the client included, without its own text. */
const inOurWords = <A>(exit: Exit.Exit<A, SlackFailed>): Effect.Effect<A, SlackFailed> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
  if (Cause.isInterruptedOnly(exit.cause)) return Effect.failCause(exit.cause)
  return Effect.fail(
    Option.getOrElse(Cause.failureOption(exit.cause), () => failed("the HTTP client has a defect", false))
  )
}

/** Doubles, with jitter; waits longer if Slack asks for it, ends if another attempt would change nothing. */
const policy = (attempts: number) =>
  Schedule.exponential(defaults.firstDelay).pipe(
    Schedule.jittered,
    Schedule.zipRight(Schedule.identity<SlackFailed>()),
    Schedule.modifyDelay((error, delay) => Duration.max(error.retryAfter, delay)),
    Schedule.whileInput((error: SlackFailed) => error.isTransient),
    Schedule.intersect(Schedule.recurs(attempts - 1))
  )

/** Posts one event; fails if Slack has not accepted it after the last attempt. */
export const send = (options: SlackOptions) => {
  const limit = Duration.decode(options.attemptTimeout ?? defaults.attemptTimeout)
  // The first attempt always runs, and is counted.
  const attempts = Math.max(1, options.attempts ?? defaults.attempts)
  return (event: AlertEvent): Effect.Effect<void, SlackFailed, HttpClient.HttpClient> =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const request = HttpClientRequest.post(Redacted.value(options.webhook)).pipe(
        HttpClientRequest.bodyUnsafeJson(payload(event, options.channel))
      )
      const post = client.execute(request).pipe(
        // Read to its end, so that the socket is free again.
        Effect.tap((response) => response.text),
        Effect.mapError(unreachable),
        Effect.filterOrElse(
          ({ status }) => status >= 200 && status < 300,
          ({ headers, status }) => refused(status, headers)
        )
      )
      yield* post.pipe(
        Effect.timeoutFail({
          duration: limit,
          onTimeout: () => failed(`it did not answer within ${period(limit)}`, true)
        }),
        Effect.exit,
        Effect.flatMap(inOurWords),
        Effect.retry(policy(attempts)),
        Effect.mapError((error) =>
          error.isTransient
            ? new SlackFailed({ ...error, message: `${error.message} (${count(attempts, "attempt")})` })
            : error
        )
      )
    }).pipe(Effect.withTracerEnabled(false))
}
