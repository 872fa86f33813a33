import type { Catalog, Relation, Routine } from "./catalog.js"
import { relationOf } from "./catalog.js"
import type { Condition, Embed, Item, OrderTerm, Selected, Test } from "./grammar.js"
import type { Field } from "./reader.js"
import { notHere, refuse } from "./refusal.js"
import { type Relationship, relationshipOf } from "./relationship.js"
import { arrayText, literal, qualified, quoted } from "./sqlText.js"

/** What is asked of one relation, and of those embedded in it. */
export interface Question {
  readonly items: ReadonlyArray<Item>
  readonly conditions: ReadonlyArray<Condition>
  readonly order: ReadonlyArray<OrderTerm>
  readonly limit: number | undefined
  readonly offset: number | undefined
  readonly embedded: ReadonlyMap<Embed, Question>
}

/** Where the rows come from. */
export interface Source {
  /** The SQL after `from`. */
  readonly from: string
  /** What its columns are called by. */
  readonly reference: string
  /** A row of it, whole, with the type of the relation. */
  readonly row: string
  /** What it is in the catalog; a function may give rows of no relation. */
  readonly relation: Relation | undefined
}

export const tableSource = (relation: Relation): Source => ({
  from: qualified(relation),
  reference: qualified(relation),
  row: quoted(relation.name),
  relation
})

/** What the common table expression `pgrst_source` gives: rows of a write, or of a function. */
export const resultSource = (relation: Relation | undefined): Source => ({
  from: "pgrst_source",
  reference: "pgrst_source",
  row: relation === undefined ? "pgrst_source" : `pgrst_source::${qualified(relation)}`,
  relation
})

interface Child {
  readonly embed: Embed
  readonly question: Question
  readonly relationship: Related
}

/** By a foreign key, or by a function that takes the row. */
interface Related {
  readonly by: Relationship | Routine
  readonly toOne: boolean
}

const isRoutine = (by: Relationship | Routine): by is Routine => "parameters" in by

/** As a hosted project has them: no list of an answer is longer, nor one embedded in it. */
export const maxRows = 1000

/** Names of embedded relations have to differ, however deep they lie. */
interface Naming {
  count: number
}

interface Scope {
  readonly catalog: Catalog
  readonly source: Source
  readonly children: ReadonlyArray<Child>
  readonly naming: Naming
}

export const nameOfEmbed = ({ alias, target }: Embed): string => alias ?? target

const computed = (catalog: Catalog, origin: Relation, target: string): Routine | undefined =>
  catalog.routines.find(
    ({ name, parameters, relation, schema }) =>
      schema === origin.schema &&
      name === target &&
      relation !== null &&
      parameters.length === 1 &&
      (parameters[0]?.type === qualified(origin).replaceAll('"', "") || parameters[0]?.type === qualified(origin))
  )

const childrenOf = (catalog: Catalog, source: Source, question: Question): ReadonlyArray<Child> =>
  [...question.embedded].map(([embed, asked]) => {
    const { relation } = source
    if (relation === undefined) return notHere("embedding in the rows of a function that are of no table")
    const routine = embed.hint === undefined ? computed(catalog, relation, embed.target) : undefined
    const by = routine ?? relationshipOf(catalog, relation, embed.target, embed.hint)
    return { embed, question: asked, relationship: { by, toOne: isRoutine(by) ? by.single : by.toOne } }
  })

const columnOf = (relation: Relation | undefined, name: string) =>
  relation?.columns.find((column) => column.name === name)

/** The SQL of a field. Other types than JSON are made JSON before a path leads into them. */
const fieldSql = ({ relation, reference }: Source, { name, path }: Field): string => {
  const column = `${reference}.${quoted(name)}`
  if (path.length === 0) return column
  const base = columnOf(relation, name)?.base
  const start = base === undefined || base === "json" || base === "jsonb" ? column : `to_jsonb(${column})`
  return start + path.map(({ arrow, key }) => arrow + (/^-?\d+$/.test(key) ? key : literal(key))).join("")
}

const testSql = (field: string, base: string | undefined, test: Test): string => {
  switch (test.kind) {
    case "is":
      return `${field} ${test.sql}`
    case "in":
      return `${field} = any (${literal(arrayText(test.values))})`
    case "search": {
      const config = test.config === undefined ? "" : `${literal(test.config)}, `
      const vector = base === "tsvector" ? field : `to_tsvector(${config}${field})`
      return `${vector} @@ ${test.sql}(${config}${literal(test.value)})`
    }
    default: {
      const value = literal(test.value)
      return `${field} ${test.sql} ${test.quantifier === undefined ? value : `${test.quantifier} (${value})`}`
    }
  }
}

/** `embedded=is.null`: whether there is any row of it. */
const presence = (scope: Scope, field: Field, test: Test): string | undefined => {
  if (field.path.length > 0 || test.kind !== "is" || !test.sql.endsWith("null")) return undefined
  const child = scope.children.find(({ embed }) => nameOfEmbed(embed) === field.name)
  if (child === undefined) return undefined
  return `${test.sql === "is null" ? "not " : ""}exists (${childSql(scope, child).rows})`
}

const conditionSql = (scope: Scope, condition: Condition): string => {
  const negation = condition.negated ? "not " : ""
  if (condition.kind !== "filter") {
    const joined = condition.parts.map((part) => conditionSql(scope, part))
    return `${negation}(${joined.join(condition.kind === "all" ? " and " : " or ")})`
  }
  const { field, test } = condition
  const base = field.path.length === 0 ? columnOf(scope.source.relation, field.name)?.base : undefined
  const sql = presence(scope, field, test) ?? testSql(fieldSql(scope.source, field), base, test)
  return `${negation}(${sql})`
}

const lastKey = ({ path }: Field): string | undefined => path.filter(({ key }) => !/^-?\d+$/.test(key)).at(-1)?.key

const selectedSql = (source: Source, { alias, cast, field }: Selected): string => {
  const value = fieldSql(source, field)
  const name =
    alias ?? (field.path.length > 0 ? (lastKey(field) ?? field.name) : cast === undefined ? undefined : field.name)
  return `${cast === undefined ? value : `cast(${value} as ${cast})`}${name === undefined ? "" : ` as ${quoted(name)}`}`
}

interface ChildSql {
  readonly rows: string
  readonly source: Source
  readonly joined: string
}

const junctionSql = (
  parent: Source,
  child: Source,
  relationship: Relationship,
  naming: Naming
): { from: string; joined: string } => {
  const { junction, pairs } = relationship
  if (junction === undefined) {
    const equal = pairs.map(([from, to]) => `${child.reference}.${quoted(to)} = ${parent.reference}.${quoted(from)}`)
    return { from: child.from, joined: equal.join(" and ") }
  }
  naming.count += 1
  const between = quoted(`${junction.table.name}_${naming.count}`)
  const equal = [
    ...junction.fromPairs.map(([from, of]) => `${between}.${quoted(of)} = ${parent.reference}.${quoted(from)}`),
    ...junction.toPairs.map(([of, to]) => `${child.reference}.${quoted(to)} = ${between}.${quoted(of)}`)
  ]
  return { from: `${child.from}, ${qualified(junction.table)} as ${between}`, joined: equal.join(" and ") }
}

const childSql = (scope: Scope, { embed, question, relationship }: Child): ChildSql => {
  const { catalog, naming, source: parent } = scope
  const { by } = relationship
  const to = isRoutine(by) ? by.relation : by.to
  const relation = to === null ? undefined : relationOf(catalog, to)
  if (relation === undefined) return notHere(`embedding of ${embed.target}`)
  naming.count += 1
  const reference = quoted(`${relation.name}_${naming.count}`)
  const of = isRoutine(by) ? `${qualified(by)}(${parent.row})` : qualified(relation)
  const source: Source = { from: `${of} as ${reference}`, reference, row: reference, relation }
  const { from, joined } = isRoutine(by)
    ? { from: source.from, joined: "true" }
    : junctionSql(parent, source, by, naming)
  const limit = Math.min(question.limit ?? maxRows, maxRows)
  return { rows: rowsSql(catalog, { ...source, from }, { ...question, limit }, naming, joined), source, joined }
}

/** What one embedded relation adds to the select list, and to `from`. */
const embeddedSql = (scope: Scope, child: Child): { readonly column: string; readonly join: string } => {
  const { embed, relationship } = child
  const name = quoted(nameOfEmbed(embed))
  if (embed.spread) {
    if (!relationship.toOne) return notHere("a spread of a relationship to many")
    scope.naming.count += 1
    const lateral = quoted(`spread_${scope.naming.count}`)
    return { column: `${lateral}.*`, join: ` left join lateral (${childSql(scope, child).rows}) as ${lateral} on true` }
  }
  // Nothing asked of it: it is there for its filters only.
  if (embed.items.length === 0) return { column: "", join: "" }
  const { rows } = childSql(scope, child)
  const value = relationship.toOne
    ? `(select row_to_json(pgrst_row) from (${rows}) as pgrst_row limit 1)`
    : `(select coalesce(json_agg(pgrst_row), '[]'::json) from (${rows}) as pgrst_row)`
  return { column: `${value} as ${name}`, join: "" }
}

const orderSql = (scope: Scope, { field, relation, rest }: OrderTerm): string => {
  if (relation === undefined) return `${fieldSql(scope.source, field)} ${rest}`.trim()
  const child = scope.children.find(({ embed }) => nameOfEmbed(embed) === relation)
  if (child === undefined) return unembedded(relation)
  if (!child.relationship.toOne) {
    return refuse(
      400,
      "PGRST118",
      `A related order on '${relation}' is not possible`,
      `'${scope.source.relation?.name ?? ""}' and '${relation}' do not form a many-to-one or one-to-one relationship`
    )
  }
  const of = childSql(scope, child)
  return `(select ${fieldSql(of.source, field)} from ${of.source.from} where ${of.joined}) ${rest}`.trim()
}

export const unembedded = (name: string): never =>
  refuse(
    400,
    "PGRST108",
    `'${name}' is not an embedded resource in this request`,
    null,
    `Verify that '${name}' is included in the 'select' query parameter.`
  )

const scopeOf = (catalog: Catalog, source: Source, question: Question, naming: Naming): Scope => ({
  catalog,
  source,
  children: childrenOf(catalog, source, question),
  naming
})

const whereSql = (scope: Scope, question: Question, joined?: string): string => {
  const conditions = [
    ...(joined === undefined ? [] : [joined]),
    ...question.conditions.map((condition) => conditionSql(scope, condition)),
    ...scope.children.filter(({ embed }) => embed.inner).map((child) => `exists (${childSql(scope, child).rows})`)
  ]
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`
}

const rowsSql = (catalog: Catalog, source: Source, question: Question, naming: Naming, joined?: string): string => {
  const scope = scopeOf(catalog, source, question, naming)
  const embedded = new Map(scope.children.map((child) => [child.embed, embeddedSql(scope, child)]))
  const columns = question.items.flatMap((item) => {
    if (item.kind === "star") return [`${source.reference}.*`]
    if (item.kind === "field") return [selectedSql(source, item)]
    return embedded.get(item)?.column || []
  })
  const joins = [...embedded.values()].map(({ join }) => join).join("")
  const order = question.order.map((term) => orderSql(scope, term))
  return [
    `select ${columns.join(", ")} from ${source.from}${joins}${whereSql(scope, question, joined)}`,
    order.length === 0 ? "" : ` order by ${order.join(", ")}`,
    question.limit === undefined ? "" : ` limit ${question.limit}`,
    question.offset === undefined ? "" : ` offset ${question.offset}`
  ].join("")
}

/** The rows that are asked for, as a statement. */
export const readingSql = (catalog: Catalog, source: Source, question: Question): string =>
  rowsSql(catalog, source, question, { count: 0 })

/** How many there are of them, whatever the limit. */
export const totalSql = (catalog: Catalog, source: Source, question: Question): string => {
  const scope = scopeOf(catalog, source, question, { count: 0 })
  return `select 1 from ${source.from}${whereSql(scope, question)}`
}

/** The rows that a write shall touch. */
export const targetSql = (catalog: Catalog, source: Source, question: Question): string =>
  whereSql(scopeOf(catalog, source, { ...question, embedded: new Map() }, { count: 0 }), {
    ...question,
    embedded: new Map()
  })

/** The columns that a write has to give back so that this can be read from it. */
export const returnedColumns = (
  catalog: Catalog,
  source: Source,
  question: Question
): ReadonlyArray<string> | "all" => {
  if (question.items.some(({ kind }) => kind === "star")) return "all"
  const scope = scopeOf(catalog, source, question, { count: 0 })
  const linking = scope.children.flatMap(({ relationship: { by } }) =>
    isRoutine(by) ? ["*"] : [...by.pairs, ...(by.junction?.fromPairs ?? [])].map(([from]) => from)
  )
  if (linking.includes("*")) return "all"
  const fields = question.items.flatMap((item) => (item.kind === "field" ? [item.field.name] : []))
  const ordered = question.order.flatMap(({ field, relation }) => (relation === undefined ? [field.name] : []))
  return [...new Set([...fields, ...ordered, ...linking])]
}
