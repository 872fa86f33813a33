import { type Catalog, type ForeignKey, isSame, type Named, relationOf } from "./catalog.js"
import { notHere, refuse } from "./refusal.js"

/** How the rows of one relation lead to those of another. */
export interface Relationship {
  readonly to: Named
  readonly toOne: boolean
  readonly cardinality: "many-to-one" | "one-to-many" | "one-to-one" | "many-to-many"
  readonly key: ForeignKey
  /** Columns of the one and of the other that are equal; empty with a `junction`. */
  readonly pairs: ReadonlyArray<readonly [from: string, to: string]>
  readonly junction?: {
    readonly table: Named
    readonly fromPairs: ReadonlyArray<readonly [from: string, junction: string]>
    readonly toPairs: ReadonlyArray<readonly [junction: string, to: string]>
    readonly keys: readonly [string, string]
  }
}

const zipped = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): Relationship["pairs"] =>
  left.map((column, index) => [column, right[index] ?? ""] as const)

const direct = (catalog: Catalog, origin: Named): ReadonlyArray<Relationship> =>
  catalog.foreignKeys.flatMap((key): ReadonlyArray<Relationship> => {
    const one = key.unique ? "one-to-one" : undefined
    const forward: Relationship = {
      to: key.to,
      toOne: true,
      cardinality: one ?? "many-to-one",
      key,
      pairs: zipped(key.columns, key.toColumns)
    }
    const backward: Relationship = {
      to: key.from,
      toOne: key.unique,
      cardinality: one ?? "one-to-many",
      key,
      pairs: zipped(key.toColumns, key.columns)
    }
    return [...(isSame(key.from, origin) ? [forward] : []), ...(isSame(key.to, origin) ? [backward] : [])]
  })

const junctions = (catalog: Catalog, origin: Named): ReadonlyArray<Relationship> =>
  catalog.foreignKeys
    .filter((key) => isSame(key.to, origin) && key.inKey)
    .flatMap((near) =>
      catalog.foreignKeys
        .filter((far) => far !== near && isSame(far.from, near.from) && far.inKey)
        .map(
          (far): Relationship => ({
            to: far.to,
            toOne: false,
            cardinality: "many-to-many",
            key: far,
            pairs: [],
            junction: {
              table: near.from,
              fromPairs: zipped(near.toColumns, near.columns),
              toPairs: zipped(far.columns, far.toColumns),
              keys: [near.name, far.name]
            }
          })
        )
    )

const only = (columns: ReadonlyArray<string>, name: string): boolean => columns.length === 1 && columns[0] === name

/** A column on the side that embeds. */
const isOwnColumn = ({ junction, pairs }: Relationship, name: string): boolean =>
  junction === undefined &&
  only(
    pairs.map(([from]) => from),
    name
  )

const isTheirColumn = ({ junction, pairs }: Relationship, name: string): boolean =>
  junction === undefined &&
  only(
    pairs.map(([, to]) => to),
    name
  )

const isConstraint = ({ junction, key }: Relationship, name: string): boolean =>
  junction === undefined && key.name === name

/**
 * A foreign key from a table to itself is two relationships of one name: the name of the table is the way to many, the
 * name of the column the way to one.
 */
const meant = (origin: Named, relationship: Relationship, target: string, hint: string | undefined): boolean => {
  const { junction, to, toOne } = relationship
  const isTarget = to.name === target
  if (isSame(origin, to) && junction === undefined) {
    const backward = !toOne || relationship.pairs[0]?.[1] === relationship.key.columns[0]
    if (hint === undefined) return isTarget ? backward : !backward && isOwnColumn(relationship, target)
    const hinted = isConstraint(relationship, hint) || isTheirColumn(relationship, hint)
    return isTarget && ((backward && hinted) || (!backward && isOwnColumn(relationship, hint)))
  }
  const isNamed = isTarget || isConstraint(relationship, target) || isOwnColumn(relationship, target)
  if (hint === undefined) return isNamed
  return (
    isNamed &&
    (isConstraint(relationship, hint) ||
      isOwnColumn(relationship, hint) ||
      isTheirColumn(relationship, hint) ||
      junction?.table.name === hint)
  )
}

const described = (origin: Named, { cardinality, junction, key, pairs, to }: Relationship) => ({
  cardinality,
  embedding: `${origin.name} with ${to.name}`,
  relationship:
    junction === undefined
      ? `${key.name} using ${origin.name}(${pairs.map(([from]) => from).join(", ")}) and ${to.name}(${pairs.map(([, of]) => of).join(", ")})`
      : `${junction.table.name} using ${junction.keys[0]}(${junction.fromPairs.map(([, of]) => of).join(", ")}) and ${junction.keys[1]}(${junction.toPairs.map(([of]) => of).join(", ")})`
})

const hintOf = (target: string, { junction, key }: Relationship): string =>
  `'${target}!${junction === undefined ? key.name : junction.table.name}'`

/** The one relationship that is meant; none, or several, are refused as PostgREST does. */
export const relationshipOf = (
  catalog: Catalog,
  origin: Named,
  target: string,
  hint: string | undefined
): Relationship => {
  const all = [...direct(catalog, origin), ...junctions(catalog, origin)]
  const found = all.filter((relationship) => meant(origin, relationship, target, hint))
  const [one] = found
  if (one === undefined) {
    const isView = (of: Named): boolean => relationOf(catalog, of)?.view === true
    if (isView(origin) || isView({ schema: origin.schema, name: target })) return notHere("relationships of a view")
    return refuse(
      400,
      "PGRST200",
      `Could not find a relationship between '${origin.name}' and '${target}' in the schema cache`,
      `Searched for a foreign key relationship between '${origin.name}' and '${target}'${hint === undefined ? "" : ` using the hint '${hint}'`} in the schema '${origin.schema}', but no matches were found.`,
      null
    )
  }
  if (found.length === 1) return one
  return refuse(
    300,
    "PGRST201",
    `Could not embed because more than one relationship was found for '${origin.name}' and '${target}'`,
    found.map((relationship) => described(origin, relationship)),
    `Try changing '${target}' to one of the following: ${found.map((of) => hintOf(target, of)).join(", ")}. Find the desired relationship in the 'details' key.`
  )
}
