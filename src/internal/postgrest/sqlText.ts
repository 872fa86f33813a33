/** PostgreSQL has no NUL in its texts; PostgREST leaves it out of what it sends. */
export const literal = (value: string): string => `'${value.replaceAll("\0", "").replaceAll("'", "''")}'`

export const quoted = (name: string): string => `"${name.replaceAll("\0", "").replaceAll('"', '""')}"`

export const qualified = (of: { readonly schema: string; readonly name: string }): string =>
  `${quoted(of.schema)}.${quoted(of.name)}`

/** The text of an array with these elements, none of them null. */
export const arrayText = (values: ReadonlyArray<string>): string =>
  `{${values.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`
