/** The tables of a page in Markdown. */

/** The cells of each row of a text's tables, less the head and the line below it. */
export const rowsOf = (section: string): ReadonlyArray<ReadonlyArray<string>> =>
  section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim())
    )
