/** All rules against one sample: the alerts that are active afterwards, and the notifications. Pure. */
import { Duration, Either, Option } from "effect"
import type { Alert, AlertEvent, PendingAlert, Rule, Sample } from "../../Alerts.js"
import { clause, withoutSecrets } from "../shared/text.js"
import * as Machine from "./machine.js"

const defaults = {
  holdFor: Duration.seconds(30),
  resolveAfter: Duration.minutes(1),
  coolDown: Duration.minutes(5),
  remindAfter: Duration.hours(4)
}

/** A rule, prepared for frequent evaluation. */
interface Prepared {
  readonly rule: Rule
  readonly timing: Machine.Timing
}

interface Place {
  readonly state: Machine.RuleState
  readonly alert: Option.Option<Alert>
  readonly pending: Option.Option<PendingAlert>
}

/** The state of each rule, by name. */
export type Board = ReadonlyMap<string, Place>

export interface Turn {
  readonly board: Board
  readonly events: ReadonlyArray<AlertEvent>
  /** Rules that threw, which leaves their alerts as they were. */
  readonly broken: ReadonlyArray<{ readonly rule: string; readonly error: unknown }>
}

/** A later rule replaces an earlier one of the same name. */
export const prepare = (rules: ReadonlyArray<Rule>): ReadonlyArray<Prepared> =>
  [...new Map(rules.map((rule) => [rule.name, rule])).values()].map((rule) => ({
    rule,
    timing: {
      holdFor: Duration.toMillis(rule.holdFor ?? defaults.holdFor),
      resolveAfter: Duration.toMillis(rule.resolveAfter ?? defaults.resolveAfter),
      coolDown: Duration.toMillis(rule.coolDown ?? defaults.coolDown),
      remindAfter: Duration.toMillis(rule.remindAfter ?? defaults.remindAfter)
    }
  }))

export const empty: Board = new Map()

export const active = (board: Board): ReadonlyArray<Alert> =>
  [...board.values()].flatMap(({ alert }) => Option.toArray(alert))

export const pending = (board: Board): ReadonlyArray<PendingAlert> =>
  [...board.values()].flatMap((place) => Option.toArray(place.pending))

/** `now` is from a clock that never goes back; the dates in an alert are the sample's. */
export const turn = (rules: ReadonlyArray<Prepared>, board: Board, sample: Sample, now: number): Turn => {
  const next = new Map<string, Place>()
  const events: Array<AlertEvent> = []
  const broken: Array<{ readonly rule: string; readonly error: unknown }> = []
  for (const { rule, timing } of rules) {
    const before = board.get(rule.name) ?? { state: Machine.initial, alert: Option.none(), pending: Option.none() }
    const verdict = ask(rule, sample)
    if (Either.isLeft(verdict)) {
      broken.push({ rule: rule.name, error: verdict.left })
      next.set(rule.name, before)
      continue
    }
    const { announcement, state } = Machine.step(timing, before.state, Option.isSome(verdict.right), now)
    const found = { phase: state.phase, verdict: verdict.right, sample, now }
    const alert = alertOf(rule, before.alert, found)
    next.set(rule.name, { state, alert, pending: pendingOf(rule, timing, found) })
    if (announcement === undefined) continue
    for (const about of Option.toArray(Option.orElse(alert, () => before.alert))) {
      events.push({ type: announcement, at: sample.at, alert: about, sample })
    }
  }
  return { board: next, events, broken }
}

/** None if the condition does not hold. */
const ask = (rule: Rule, sample: Sample): Either.Either<Option.Option<string>, unknown> =>
  Either.try({
    try: () => {
      const answer = rule.when(sample)
      if (typeof answer === "boolean") return answer ? Option.some("") : Option.none()
      return Option.map(answer, (detail) => withoutSecrets(clause(detail)))
    },
    catch: (error) => error
  })

/** What was found of one rule. */
interface Found {
  readonly phase: Machine.RuleState["phase"]
  readonly verdict: Option.Option<string>
  readonly sample: Sample
  readonly now: number
}

const pendingOf = (
  rule: Rule,
  { holdFor }: Machine.Timing,
  { now, phase, sample, verdict }: Found
): Option.Option<PendingAlert> => {
  if (phase._tag !== "Pending") return Option.none()
  const since = sample.at - (now - phase.since)
  return Option.some({
    rule: rule.name,
    severity: rule.severity,
    summary: rule.summary ?? rule.name,
    detail: Option.getOrElse(verdict, () => ""),
    since,
    firesAt: since + holdFor
  })
}

const alertOf = (
  rule: Rule,
  before: Option.Option<Alert>,
  { now, phase, sample, verdict }: Found
): Option.Option<Alert> => {
  if (phase._tag !== "Firing") return Option.none()
  const date = (moment: number): number => sample.at - (now - moment)
  // The last detail while it held: an alert that is about to resolve still shows the problem.
  return Option.match(verdict, {
    onNone: () => Option.map(before, (alert) => ({ ...alert, fineSince: date(phase.fineSince ?? now) })),
    onSome: (detail) =>
      Option.some({
        rule: rule.name,
        severity: rule.severity,
        summary: rule.summary ?? rule.name,
        detail,
        since: Option.match(before, { onNone: () => date(phase.since), onSome: (alert) => alert.since }),
        firedAt: Option.match(before, { onNone: () => sample.at, onSome: (alert) => alert.firedAt })
      })
  })
}
