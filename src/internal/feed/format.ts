/** Formats figures for people. Pure. */

const two = (n: number): string => String(n).padStart(2, "0")

/** `14:02:31`, in the reader's time zone. */
export const clock = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** Few digits, with the unit: `0.4 ms`, `12 ms`, `1.2 s`, `3 min`. */
export const millis = (value: number | null): string => {
  if (value === null) return "–"
  if (value < 10) return `${Math.round(value * 10) / 10} ms`
  if (value < 1_000) return `${Math.round(value)} ms`
  if (value < 60_000) return `${Math.round(value / 100) / 10} s`
  return span(value)
}

/** `42 s`, `5 min`, `3 h 20 min`, `2 d 4 h`. */
export const span = (value: number): string => {
  const seconds = Math.max(0, Math.floor(value / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `3.4 %`; a value above zero never reads as zero. */
export const percent = (share: number | null): string => {
  if (share === null) return "–"
  const value = share * 100
  if (value > 0 && value < 0.1) return "< 0.1 %"
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} %`
}

/** `1,234`; `1.2` below ten. */
export const number = (value: number | null): string => {
  if (value === null) return "–"
  return value < 10 ? String(Math.round(value * 10) / 10) : Math.round(value).toLocaleString("en-GB")
}

export const plural = (n: number, noun: string): string => `${number(n)} ${noun}${n === 1 ? "" : "s"}`
