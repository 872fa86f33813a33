import { refuse } from "./refusal.js"

/** One step into JSON: `->key` or `->>key`. */
export interface PathStep {
  readonly arrow: "->" | "->>"
  readonly key: string
}

export interface Field {
  readonly name: string
  readonly path: ReadonlyArray<PathStep>
}

/** Reads a parameter from its beginning to its end; what cannot be read is refused with the place where it stands. */
export class Reader {
  private at = 0
  private readonly text: string
  private readonly what: string
  constructor(text: string, what: string) {
    this.text = text
    this.what = what
  }

  fail(): never {
    return refuse(
      400,
      "PGRST100",
      `"failed to parse ${this.what} (${this.text})" (line 1, column ${this.at + 1})`,
      "unexpected input"
    )
  }

  get done(): boolean {
    return this.at >= this.text.length
  }

  /** What the pattern, which is sticky, finds here; then it is behind. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (found === null) return undefined
    this.at = pattern.lastIndex
    return found
  }

  eat(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  expect(word: string): void {
    if (!this.eat(word)) this.fail()
  }

  end(): void {
    if (!this.done) this.fail()
  }

  rest(): string {
    const rest = this.text.slice(this.at)
    this.at = this.text.length
    return rest
  }

  /** `"…"` with backslashes before what they spare. */
  quoted(): string | undefined {
    return this.take(/"((?:[^"\\]|\\[\s\S])*)"/y)?.[1]?.replace(/\\([\s\S])/g, "$1")
  }

  name(): string {
    const plain = () => this.take(/[\p{L}\p{N}_ $]+(?:-(?!>)[\p{L}\p{N}_ $]+)*/uy)?.[0].trim()
    return this.quoted() ?? (plain() || this.fail())
  }

  field(): Field {
    const name = this.name()
    const path: Array<PathStep> = []
    for (;;) {
      const arrow = this.eat("->>") ? "->>" : this.eat("->") ? "->" : undefined
      if (arrow === undefined) return { name, path }
      const key = this.quoted() ?? this.take(/(?:(?!->|::)[^.,:()<>])+/y)?.[0] ?? this.fail()
      path.push({ arrow, key })
    }
  }
}
