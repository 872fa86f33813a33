/** `Content-Range` as PostgREST says it: which of all rows these are, and how many there are, where that was asked. */
export interface ContentRange {
  /** Of the first row and the last, from 0; undefined where there are none. */
  readonly from: number | undefined
  readonly to: number | undefined
  readonly total: number | undefined
}

const numberOf = (digits: string | undefined): number | undefined => (digits === undefined ? undefined : Number(digits))

/** Undefined where it is none. */
export const contentRangeOf = (header: string | null): ContentRange | undefined => {
  const [all, from, to, total] = /^(?:\w+ )?(?:(\d+)-(\d+)|\*)\/(?:(\d+)|\*)$/.exec(header ?? "") ?? []
  return all === undefined ? undefined : { from: numberOf(from), to: numberOf(to), total: numberOf(total) }
}
