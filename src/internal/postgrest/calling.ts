import type { Catalog, Named, Routine } from "./catalog.js"
import { isSame } from "./catalog.js"
import { refuse } from "./refusal.js"
import { arrayText, literal, qualified, quoted } from "./sqlText.js"

/** What a function is called with. */
export type Arguments =
  | { readonly kind: "json"; readonly text: string; readonly names: ReadonlyArray<string> | undefined }
  | { readonly kind: "raw"; readonly type: string; readonly text: string }
  | { readonly kind: "words"; readonly words: ReadonlyArray<readonly [string, string]> }

const namesOf = (given: Arguments): ReadonlyArray<string> => {
  if (given.kind === "json") return given.names ?? []
  return given.kind === "raw" ? [] : [...new Set(given.words.map(([name]) => name))]
}

/** One parameter that has no name: it takes the whole body. */
const takesWhole = ({ parameters }: Routine, ...types: ReadonlyArray<string>): boolean =>
  parameters.length === 1 && parameters[0]?.name === "" && types.includes(parameters[0].base)

const takesNames = (routine: Routine, names: ReadonlyArray<string>): boolean => {
  const required = routine.parameters.filter((parameter, index) => {
    const rest = routine.variadic && index === routine.parameters.length - 1
    return parameter.required && !rest
  })
  return (
    required.every(({ name }) => names.includes(name)) &&
    names.every((name) => routine.parameters.some((parameter) => parameter.name === name))
  )
}

const signature = ({ name, parameters, schema }: Routine): string =>
  `${schema}.${name}(${parameters.map((parameter) => `${parameter.name} => ${parameter.type}`).join(", ")})`

const missing = (wanted: Named, given: Arguments): never => {
  const names = [...namesOf(given)].sort()
  const called =
    names.length === 0
      ? `${wanted.schema}.${wanted.name} without parameters`
      : `${wanted.schema}.${wanted.name}(${names.join(", ")})`
  const words =
    names.length === 0 ? "without parameters" : `with parameter${names.length === 1 ? "" : "s"} ${names.join(", ")}`
  const whole = given.kind === "json" ? " or with a single unnamed json/jsonb parameter" : ""
  return refuse(
    404,
    "PGRST202",
    `Could not find the function ${called} in the schema cache`,
    `Searched for the function ${wanted.schema}.${wanted.name} ${words}${whole}, but no matches were found in the schema cache.`
  )
}

/** The one function that is meant. */
export const routineOf = (catalog: Catalog, wanted: Named, given: Arguments): Routine => {
  const all = catalog.routines.filter((routine) => isSame(routine, wanted))
  const whole = all.filter((routine) =>
    given.kind === "raw"
      ? takesWhole(routine, given.type)
      : given.kind === "json" && takesWhole(routine, "json", "jsonb")
  )
  const named = given.kind === "raw" ? [] : all.filter((routine) => takesNames(routine, namesOf(given)))
  const found = named.length > 0 ? named : whole
  const [one] = found
  if (one === undefined) return missing(wanted, given)
  if (found.length === 1) return one
  return refuse(
    300,
    "PGRST203",
    `Could not choose the best candidate function between: ${found.map(signature).join(", ")}`,
    null,
    "Try renaming the parameters or the function itself in the database so function overloading can be resolved"
  )
}

const wordsSql = (routine: Routine, words: ReadonlyArray<readonly [string, string]>): string => {
  const names = [...new Set(words.map(([name]) => name))]
  return names
    .map((name) => {
      const values = words.filter(([of]) => of === name).map(([, value]) => value)
      const index = routine.parameters.findIndex((parameter) => parameter.name === name)
      const rest = routine.variadic && index === routine.parameters.length - 1
      const value = rest ? arrayText(values) : (values.at(-1) ?? "")
      return `${rest ? "variadic " : ""}${quoted(name)} := cast(${literal(value)} as ${routine.parameters[index]?.type})`
    })
    .join(", ")
}

const jsonSql = (routine: Routine, text: string, names: ReadonlyArray<string>): { from: string; call: string } => {
  const used = routine.parameters.filter(({ name }) => names.includes(name))
  if (used.length === 0) return { from: "", call: "" }
  const shape = used.map(({ name, type }) => `${quoted(name)} ${type}`).join(", ")
  const last = routine.parameters.at(-1)
  const call = used.map((parameter) => {
    const rest = routine.variadic && parameter === last ? "variadic " : ""
    return `${rest}${quoted(parameter.name)} := pgrst_arguments.${quoted(parameter.name)}`
  })
  return {
    from: `json_to_record(${literal(text)}::json) as pgrst_arguments(${shape}), lateral `,
    call: call.join(", ")
  }
}

const callSql = (routine: Routine, given: Arguments): { readonly from: string; readonly call: string } => {
  const [only] = routine.parameters
  if (given.kind === "words") return { from: "", call: wordsSql(routine, given.words) }
  const whole = given.kind === "raw" || (only?.name === "" && routine.parameters.length === 1)
  if (whole && only !== undefined) return { from: "", call: `cast(${literal(given.text)} as ${only.type})` }
  return given.kind === "json" ? jsonSql(routine, given.text, given.names ?? []) : { from: "", call: "" }
}

/** The rows that a function gives; a value alone is the column `pgrst_scalar`. */
export const callingSql = (routine: Routine, given: Arguments): string => {
  const { call, from } = callSql(routine, given)
  const called = `${qualified(routine)}(${call})`
  return routine.composite
    ? `select pgrst_result.* from ${from}${called} as pgrst_result`
    : `select pgrst_result.pgrst_scalar from ${from}${called} as pgrst_result(pgrst_scalar)`
}
