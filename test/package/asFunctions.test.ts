/** What the Promise entry's build does to arrow functions: the same values come of them. */
import { describe, expect, it } from "vitest"
import { asFunctions } from "../../scripts/promise/asFunctions.js"

const evaluated = (text: string): unknown => new Function(`return (${text})`)()

describe("arrow functions as functions", () => {
  const same = [
    "[1, 2].map((n) => n + 1)",
    "[1, 2].map(n => n + 1)",
    "((a) => (b) => (c) => a + b + c)(1)(2)(3)",
    "(a => b => ({ a, b }))(1)(2)",
    "((a, { b = () => 2 } = {}) => { return a + b() })(1)",
    "((...all) => all.length)(1, 2, 3)",
    "(() =>\n  // what a line break would end\n  4)()",
    "((a) => a ? (b) => b : (c) => -c)(false)(5)",
    "({ f: (x) => x * 2 }).f(3)",
    "((x) => (x, 7))(1)"
  ]
  it.each(same)("%s", (text) => {
    const made = asFunctions("case.js", `(${text})`)
    expect(made).not.toContain("=>")
    expect(evaluated(made)).toEqual(evaluated(text))
  })

  const ofAround = [
    "(function () { return (() => this.x)() }).call({ x: 1 })",
    "(function () { return (() => arguments.length)() })(1, 2)",
    "(function () { return (() => () => this.x)()() }).call({ x: 1 })",
    "new (class { x = 8; f = () => this.x })().f()"
  ]
  it.each(ofAround)("%s keeps what is around it", (text) => {
    expect(evaluated(asFunctions("case.js", `(${text})`))).toEqual(evaluated(text))
  })

  it("keeps asynchronous ones so, types, and what begins a statement", async () => {
    expect(await evaluated(asFunctions("case.js", "((async (x) => x)(9))"))).toBe(9)
    expect(asFunctions("case.ts", "const f = <A>(a: A): a is A => true")).toMatch(
      /function<A>\(a: A\): a is A .*\{return\( true\)\}/
    )
    expect(asFunctions("case.js", "(x) => x")).toBe("(x) => x")
  })

  it("leaves lines where they are", () => {
    const text = "const a = (x) =>\n  x\nconst b = y => {\n  return y\n}\n"
    expect(asFunctions("case.js", text).split("\n").length).toBe(text.split("\n").length)
  })
})
