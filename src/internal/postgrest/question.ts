import {
  type Condition,
  type Embed,
  filterOf,
  type Item,
  keyOf,
  logicOf,
  orderOf,
  saysOperator,
  selectOf
} from "./grammar.js"
import { nameOfEmbed, type Question, unembedded } from "./reading.js"
import { notHere, refuse } from "./refusal.js"

/** What a node of the tree of embedded relations was given, while the parameters are read. */
interface Draft {
  readonly items: ReadonlyArray<Item>
  readonly conditions: Array<Condition>
  readonly embedded: Map<Embed, Draft>
  order: Question["order"]
  limit: number | undefined
  offset: number | undefined
}

const isEmbed = (item: Item): item is Embed => item.kind === "embed"

const draftOf = (items: ReadonlyArray<Item>): Draft => ({
  items,
  conditions: [],
  embedded: new Map(items.filter(isEmbed).map((embed) => [embed, draftOf(embed.items)])),
  order: [],
  limit: undefined,
  offset: undefined
})

const inside = (draft: Draft, path: ReadonlyArray<string>): Draft => {
  const [first, ...rest] = path
  if (first === undefined) return draft
  const found = [...draft.embedded].find(([embed]) => nameOfEmbed(embed) === first || embed.target === first)
  return found === undefined ? unembedded(first) : inside(found[1], rest)
}

/** Ignores text that is not a number, as PostgREST does. */
const countOf = (text: string): number | undefined => {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) return undefined
  const count = Number(text)
  return Number.isSafeInteger(count) ? count : undefined
}

const transforms = /^(?:(.*)\.)?(order|limit|offset)$/s

const logics = /^(?:(?!not\.(?:and|or)$)(.*?)\.)?(not\.)?(and|or)$/s

const setTransform = (root: Draft, path: ReadonlyArray<string>, word: string, value: string): void => {
  const draft = inside(root, path)
  if (word === "order") {
    if (draft.order.length > 0) notHere("two orders of one relation")
    draft.order = orderOf(value)
    return
  }
  const count = countOf(value)
  if (word === "offset") draft.offset = count === undefined ? undefined : Math.max(count, 0)
  else if (count !== undefined && count < 0) {
    refuse(416, "PGRST103", "Requested range not satisfiable", "Limit should be greater than or equal to zero.")
  } else draft.limit = count
}

const embeddingPath = (prefix: string | undefined): ReadonlyArray<string> => {
  if (prefix === undefined) return []
  const { field, path } = keyOf(prefix)
  return [...path, field.name]
}

const addCondition = (root: Draft, key: string, value: string): void => {
  const logic = logics.exec(key)
  if (logic !== null && value.trimStart().startsWith("(")) {
    const condition = logicOf(logic[3] === "and" ? "all" : "any", logic[2] !== undefined, value)
    inside(root, embeddingPath(logic[1])).conditions.push(condition)
    return
  }
  const { field, path } = keyOf(key)
  inside(root, path).conditions.push(filterOf(field, value))
}

/** Parameters that are neither filters nor about the rows that come back. */
const others = new Set(["select", "columns", "on_conflict", "apikey"])

/** Whether a parameter of a function's address is an argument: not one of ours, and a value without an operator. */
export const isArgument = (name: string, value: string): boolean =>
  !others.has(name) && !transforms.test(name) && !logics.test(name) && !saysOperator(value)

/** The parameters of an address, in the form in which PostgREST reads them. */
export const questionOf = (parameters: ReadonlyArray<readonly [string, string]>): Question => {
  const select = parameters.find(([key]) => key === "select")?.[1] ?? "*"
  const root = draftOf(selectOf(select))
  for (const [key, value] of parameters) {
    if (others.has(key)) continue
    const transform = transforms.exec(key)
    if (transform === null) addCondition(root, key, value)
    else setTransform(root, embeddingPath(transform[1]), transform[2] ?? "", value)
  }
  return root
}
