/** Client addresses: one machine has many, and one address has several spellings. */

/** The eight groups of an IPv6 address; undefined for other text. The URL parser knows all spellings. */
const groupsOf = (address: string): ReadonlyArray<number> | undefined => {
  const bare = address.replace(/%.*$/, "")
  const url = `http://[${bare}]/`
  if (!bare.includes(":") || !URL.canParse(url)) return undefined
  const [head = "", tail] = new URL(url).hostname.slice(1, -1).split("::")
  const numbers = (text: string): Array<number> =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16))
  if (tail === undefined) return numbers(head)
  const [left, right] = [numbers(head), numbers(tail)]
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

/** An IPv4 address that was written as IPv6 (`::ffff:192.0.2.1`), as itself. */
const mapped = (groups: ReadonlyArray<number>): string | undefined => {
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).some((group) => group !== 0) || groups[5] !== 0xffff) return undefined
  return [high >> 8, high & 255, low >> 8, low & 255].join(".")
}

export const isIPv4 = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) < 256)

/** The owner of an address: an IPv6 network of 64 bits belongs to one customer, who may use all of it. */
export const clientOf = (address: string): string => {
  const groups = groupsOf(address)
  if (groups === undefined) return address
  const four = groups.slice(0, 4).map((group) => group.toString(16))
  return mapped(groups) ?? `${four.join(":")}::/64`
}

/** Whether only programs on this machine have this address. */
export const isLoopback = (address: string): boolean => {
  const groups = groupsOf(address)
  const plain = groups === undefined ? address : mapped(groups)
  if (plain !== undefined) return isIPv4(plain) && plain.startsWith("127.")
  return groups?.every((group, index) => group === (index === 7 ? 1 : 0)) === true
}

export const isIPv6 = (text: string): boolean => groupsOf(text) !== undefined
