import { readdir, readFile } from "node:fs/promises"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { root } from "../support/program.js"

/** A space in `pattern` is any white space, so that a phrase is found across the end of a line. */
interface Banned {
  readonly pattern: string
  readonly reason: string
  /** What it has to find, and what it must leave alone. */
  readonly finds: string
  readonly leaves: string
}

/** The beginning of a sentence or of a comment. */
const start = String.raw`(?:^|[.:;!?] |/\*\* |// |\* |> |- )`

const acts = "asks|waits|has|calls|comes|gives|sends|guesses|borrowed|knows|reads|takes|imports|follows|cannot"

const banned: ReadonlyArray<Banned> = [
  { pattern: "[Mm]end(?:s|ed|ing)?", reason: "fix", finds: "it is mended by", leaves: "amend the commit" },
  { pattern: "afresh|anew", reason: "again", finds: "begun anew", leaves: "a new one" },
  { pattern: "(?:is|are|was|were|be) none", reason: "no …, or empty", finds: "there is none", leaves: "none is lent" },
  { pattern: "of late", reason: "recently", finds: "not seen of late", leaves: "of later versions" },
  {
    pattern: "(?:unless|until) (?:\\S+ ){0,4}otherwise",
    reason: "write Default:",
    finds: "60 s unless said otherwise",
    leaves: "otherwise it is closed"
  },
  {
    pattern: "no more (?:asked|counted|held|kept|lent|sent|told|used)",
    reason: "no longer",
    finds: "is no more counted",
    leaves: "no more code"
  },
  { pattern: "for ever", reason: "never ends, or without end", finds: "it waits for ever", leaves: "for every one" },
  {
    pattern: `${start}Nor (?:is|are|was|were|has|have|do|does|did|can|may)`,
    reason: "subject first: it does not … either",
    finds: "Nor is a silent server waited for",
    leaves: "neither one nor the other"
  },
  {
    pattern: "th(?:at|ose) of who(?:m|ever)?",
    reason: "name the owner",
    finds: "it is that of whom",
    leaves: "that of a user"
  },
  {
    pattern: `${start}Whoever`,
    reason: "name the person",
    finds: "Whoever holds it",
    leaves: "a lease, whoever holds it"
  },
  {
    pattern: `${start}Who (?:${acts})`,
    reason: "name the person",
    finds: "Who asks then waits",
    leaves: "Who may write"
  },
  {
    pattern: `(?:by|for|from|of|to) who (?:${acts})`,
    reason: "name the person: the caller that …",
    finds: "told to who asks",
    leaves: "shows who waits"
  },
  {
    pattern: `${start}(?:W|w)hat (?:cannot|comes|fails|goes|stands|waits|is no)`,
    reason: "a noun as the subject",
    finds: "What waits is told.",
    leaves: "It tells what waits in the queue"
  },
  { pattern: "what is no(?:ne)?", reason: "not a …", finds: "what is no JSON", leaves: "what is not JSON" },
  { pattern: "by way of", reason: "through", finds: "by way of a proxy", leaves: "in the way of a caller" },
  { pattern: "time of now", reason: "the current time", finds: "the time of now", leaves: "the time of day" },
  { pattern: "typing mistakes?", reason: "typo", finds: "a typing mistake", leaves: "a mistake in typing" },
  { pattern: "other than before", reason: "different", finds: "is other than before", leaves: "other than this" },
  {
    pattern: `${start}So (?:many|much) (?:are|is|may|has|have|keys|lines|of the|wait)`,
    reason: "the number of …",
    finds: "So many may listen.",
    leaves: "So much for that"
  },
  {
    pattern: "[ws]as had|is had",
    reason: "a verb that says how",
    finds: "a connection was had",
    leaves: "it has had time"
  }
]

const expression = ({ pattern }: Banned): RegExp =>
  new RegExp(`(?<![\\w-])(?:${pattern.replaceAll(" ", "\\s+")})(?![\\w-])`, "gm")

const blank = (text: string): string => text.replace(/\S/g, " ")

/** Titles of tests are quoted as they are: in a link to a test, and in SECURITY.md in quotation marks. */
const withoutTitles = (name: string, text: string): string => {
  const linked = text.replace(/\[[^\]]*\](?=\([^)]*\/test\/)/g, blank)
  return name === "SECURITY.md" ? linked.replace(/"[^"\n]*"/g, blank) : linked
}

/** Without the marks that stand between two lines of one comment; what is left stays where it is. */
const joined = (text: string): string =>
  text.replace(/(?<=\n\s*)(?:\*(?!\/)|\/\/)(?=\s+\S)/g, (mark) => " ".repeat(mark.length))

const complaints = (name: string, text: string): ReadonlyArray<string> => {
  const plain = withoutTitles(name, text)
  const views = name.endsWith(".md") ? [plain] : [plain, joined(plain)]
  const found = views.flatMap((view) =>
    banned.flatMap((one) =>
      [...view.matchAll(expression(one))].map((match) => {
        const at = match.index + match[0].search(/[A-Za-z]/)
        const line = view.slice(0, at).split("\n").length
        return `${name}:${line}: "${match[0].trim().replace(/\s+/g, " ")}": ${one.reason}`
      })
    )
  )
  return [...new Set(found)]
}

/** Generated from the titles of tests. */
const generated = "docs/reliability.md"

/** Rooms whose comments are not yet plain: take one out when it is. */
const later: ReadonlySet<string> = new Set(["connection", "db", "embedded", "pool", "promise", "table", "transaction"])

const files = Effect.promise(async () => {
  const under = async (directory: string): Promise<ReadonlyArray<string>> =>
    (await readdir(`${root}${directory}`, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && /\.(?:md|tsx?)$/.test(entry.name))
      .map((entry) => `${entry.parentPath.slice(root.length)}/${entry.name}`)
  const pages = (await readdir(`${root}docs`)).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)
  const source = (await under("src")).filter((name) => !later.has(/^src\/internal\/([^/]+)/.exec(name)?.[1] ?? ""))
  return [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...pages.filter((name) => name !== generated),
    ...source
  ]
})

describe("the English", () => {
  it("has a table of phrases, each of which finds its example and leaves the other alone", () => {
    for (const one of banned) {
      assert.match(one.finds, expression(one), one.pattern)
      assert.notMatch(one.leaves, expression(one), one.pattern)
    }
  })

  it("is read across the lines of a comment, and not in the title of a test", () => {
    assert.deepStrictEqual(complaints("a.ts", "/**\n * A thing that is\n * mended by\n * way of a proxy.\n */"), [
      'a.ts:3: "mended": fix',
      'a.ts:3: "by way of": through'
    ])
    assert.deepStrictEqual(complaints("docs/a.md", "one\n[what is no JSON](../test/a.test.ts) is mended"), [
      'docs/a.md:2: "mended": fix'
    ])
  })

  it.effect("of pages, messages and comments is that of a native technical writer: none of these phrases", () =>
    Effect.gen(function* () {
      const names = yield* files
      assert.isAbove(names.length, 150)
      const texts = yield* Effect.forEach(names, (name) =>
        Effect.promise(async () => complaints(name, await readFile(`${root}${name}`, "utf8")))
      )
      assert.deepStrictEqual(texts.flat(), [])
    })
  )

  it.effect("of the rooms that come later is of rooms that are there", () =>
    Effect.gen(function* () {
      const rooms = yield* Effect.promise(() => readdir(`${root}src/internal`))
      assert.includeMembers(rooms, [...later])
    })
  )
})
