/** Prometheus' text format as a parser from npm reads it. */
import parse from "parse-prometheus-text-format"

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Type by name of the family. */
export const typesOf = (text: string): ReadonlyMap<string, string> =>
  new Map(parse(text).map(({ name, type }) => [name, type]))

/** Every sample by itself: of a typed histogram the parser forgets the labels. */
export const samplesOf = (text: string): ReadonlyArray<Sample> =>
  parse(text.replace(/^# TYPE .*\n/gm, "")).flatMap(({ metrics, name }) =>
    metrics.map(({ labels = {}, value = "" }) => ({ name, labels, value: Number(value.replace("+Inf", "Infinity")) }))
  )

/** The values of the samples that have these labels, and maybe others. */
export const valuesOf = (
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): ReadonlyArray<number> =>
  samplesOf(text)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .map(({ value }) => value)
