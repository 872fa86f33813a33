/**
 * Certificates for a test, made by it: Node signs, but writes no certificate, and a machine may have no openssl. X.509
 * (RFC 5280) in DER, as much of it as TLS looks at.
 */
import * as Crypto from "node:crypto"
import { isIP } from "node:net"

const tlv = (tag: number, ...parts: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(parts)
  const size = body.length.toString(16)
  const bytes = Buffer.from(size.length % 2 === 0 ? size : `0${size}`, "hex")
  const length = body.length < 128 ? Buffer.of(body.length) : Buffer.concat([Buffer.of(0x80 + bytes.length), bytes])
  return Buffer.concat([Buffer.of(tag), length, body])
}

const seq = (...parts: ReadonlyArray<Buffer>): Buffer => tlv(0x30, ...parts)
const text = (value: string): Buffer => tlv(0x0c, Buffer.from(value))
const bits = (value: Buffer): Buffer => tlv(0x03, Buffer.of(0), value)
const yes = tlv(0x01, Buffer.of(0xff))

const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  const base128 = (value: number): ReadonlyArray<number> =>
    value < 128 ? [value] : [...base128(value >> 7).map((byte) => byte | 0x80), value & 0x7f]
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

const time = (millis: number): Buffer =>
  tlv(0x18, Buffer.from(`${new Date(millis).toISOString().replace(/[-:T]|\..*/g, "")}Z`))

const name = (common: string): Buffer => seq(tlv(0x31, seq(oid("2.5.4.3"), text(common))))

const extension = (id: string, value: Buffer, isCritical = false): Buffer =>
  seq(oid(id), ...(isCritical ? [yes] : []), tlv(0x04, value))

const alternative = (host: string): Buffer =>
  isIP(host) === 4 ? tlv(0x87, Buffer.from(host.split(".").map(Number))) : tlv(0x82, Buffer.from(host))

const withSha256 = seq(oid("1.2.840.10045.4.3.2"))
const day = 86_400_000

export interface Certified {
  readonly cert: string
  readonly key: string
}

interface Signer extends Certified {
  readonly common: string
}

interface Wanted {
  /** Hosts that it is for. */
  readonly hosts?: ReadonlyArray<string>
  /** Days from now until it ends. */
  readonly days?: number
}

const make = (common: string, signer: Signer | undefined, { days = 30, hosts = [] }: Wanted): Signer => {
  const { privateKey, publicKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
  const extensions =
    signer === undefined
      ? [extension("2.5.29.19", seq(yes), true)]
      : hosts.length === 0
        ? []
        : [extension("2.5.29.17", seq(...hosts.map(alternative)))]
  const toSign = seq(
    tlv(0xa0, tlv(0x02, Buffer.of(2))),
    tlv(0x02, Buffer.concat([Buffer.of(1), Crypto.randomBytes(8)])),
    withSha256,
    name(signer?.common ?? common),
    seq(time(Date.now() - 60 * day), time(Date.now() + days * day)),
    name(common),
    publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, seq(...extensions))])
  )
  const signature = Crypto.sign("sha256", toSign, signer?.key ?? privateKey)
  const base64 = seq(toSign, withSha256, bits(signature)).toString("base64")
  return {
    common,
    cert: `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join("\n")}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  }
}

export interface Authority extends Certified {
  readonly sign: (common: string, wanted?: Wanted) => Certified
}

export const authority = (common: string): Authority => {
  const own = make(common, undefined, {})
  return { ...own, sign: (whose, wanted = {}) => make(whose, own, wanted) }
}
