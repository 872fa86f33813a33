/** CAs and client certificates that are given: what is taken, and what is said of what is not, before anything opens. */
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Layer, Option, Redacted } from "effect"
import * as Config from "../../src/Config.js"
import { authority } from "../support/certificates.js"
import { shown } from "../support/secrets.js"

const ours = authority("a company")
const client = ours.sign("a pool")
const { key: otherKey } = ours.sign("another")

const folder = mkdtempSync(join(tmpdir(), "pem-"))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const encrypted = (type: "pkcs8" | "pkcs1"): string =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type, format: "pem", cipher: "aes-256-cbc", passphrase: "open" }
  }).privateKey

const { privateKey: rsaKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs1", format: "pem" }
})

const load = (environment: Readonly<Record<string, string>>) =>
  Effect.map(Config.load, ({ pool }) => pool).pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
  )

const keyOf = ({ clientKey }: Config.PoolOptions): string =>
  Option.getOrThrow(Option.map(clientKey, Redacted.value)).trim()

describe("a certificate", () => {
  it.effect("and its key are read from files and from texts, in the environment and in code", () =>
    Effect.gen(function* () {
      const ca = file("ca.pem", ours.cert)
      const both = file("both.pem", client.cert + client.key)
      const fromFiles = yield* load({ DB_POOL_CA: ca, DB_POOL_CLIENT_CERT: both, DB_POOL_CLIENT_KEY: ` ${both} ` })
      const oneLine = (text: string) => text.replaceAll("\n", "\\n")
      const fromTexts = yield* load({
        DB_POOL_CA: oneLine(ours.cert),
        DB_POOL_CLIENT_CERT: oneLine(client.cert),
        DB_POOL_CLIENT_KEY: oneLine(client.key)
      })
      const fromJson = yield* load({ DB_POOL_CONFIG: JSON.stringify({ ca, clientCert: both, clientKey: both }) })
      const fromCode = yield* Config.poolOptions({
        ca: ours.cert,
        clientCert: client.cert,
        clientKey: Redacted.make(client.key)
      })
      for (const options of [fromFiles, fromTexts, fromJson, fromCode]) {
        expect(Option.getOrThrow(options.ca).trim()).toBe(ours.cert.trim())
        expect(Option.getOrThrow(options.clientCert)).toContain(client.cert.trim())
        expect(keyOf(options)).toBe(client.key.trim())
      }
      expect(yield* Config.poolOptions(fromCode)).toEqual(fromCode)
    })
  )

  it("is shown, and its key is not", () => {
    const options = Either.getOrThrow(Config.poolOptions({ clientCert: client.cert, clientKey: client.key }))
    const body = client.key.split("\n")[1] ?? ""
    expect(body.length).toBeGreaterThan(40)
    expect(shown(options)).not.toContain(body)
  })
})

describe("a mistake", () => {
  const missing = join(folder, "nowhere.pem")
  const der = file("ca.der", Buffer.from(ours.cert.replace(/-----.*-----|\n/g, ""), "base64"))
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
  const cert = { DB_POOL_CLIENT_CERT: client.cert }
  const key = { DB_POOL_CLIENT_KEY: client.key }
  const rows: ReadonlyArray<readonly [what: string, environment: Readonly<Record<string, string>>, line: RegExp]> = [
    ["a file that is not there", { DB_POOL_CA: missing }, /^DB_POOL_CA: neither PEM nor an existing file .*— give /],
    ["a folder", { DB_POOL_CA: folder }, /^DB_POOL_CA: a folder, not a file/],
    ["a file without PEM", { DB_POOL_CA: der }, /^DB_POOL_CA: a file without PEM in it/],
    ["a key for a CA", { DB_POOL_CA: client.key }, /^DB_POOL_CA: a private key, where a certificate belongs — give /],
    [
      "the second of two that cannot be read",
      { DB_POOL_CA: ours.cert + broken },
      /^DB_POOL_CA: certificate 2 of 2 cannot be read/
    ],
    ["PEM of something else", { DB_POOL_CA: "-----BEGIN X509 CRL-----" }, /^DB_POOL_CA: PEM without a certificate/],
    [
      "a key that is not there",
      { ...cert, DB_POOL_CLIENT_KEY: missing },
      /^DB_POOL_CLIENT_KEY: neither PEM nor an existing file — give the private key/
    ],
    [
      "a certificate for its key",
      { ...cert, DB_POOL_CLIENT_KEY: client.cert },
      /^DB_POOL_CLIENT_KEY: a certificate, where its private key belongs/
    ],
    [
      "a key that is encrypted",
      { ...cert, DB_POOL_CLIENT_KEY: encrypted("pkcs8") },
      /^DB_POOL_CLIENT_KEY: an encrypted private key — decrypt it \(openssl pkey/
    ],
    [
      "a key that is encrypted in the older way",
      { ...cert, DB_POOL_CLIENT_KEY: encrypted("pkcs1") },
      /^DB_POOL_CLIENT_KEY: an encrypted private key — decrypt it \(openssl pkey/
    ],
    [
      "a key that is cut",
      { ...cert, DB_POOL_CLIENT_KEY: rsaKey.replace(/\n.{64}\n/, "\n") },
      /^DB_POOL_CLIENT_KEY: a private key that cannot be read \(\w+\)/
    ],
    [
      "a certificate alone",
      cert,
      /^DB_POOL_CLIENT_CERT: a certificate without its .*— give that in DB_POOL_CLIENT_KEY/
    ],
    ["a key alone", key, /^DB_POOL_CLIENT_KEY: a private key without its .*— give that in DB_POOL_CLIENT_CERT/],
    [
      "the key of another",
      { ...cert, DB_POOL_CLIENT_KEY: otherKey },
      /^DB_POOL_CLIENT_CERT: the key in DB_POOL_CLIENT_KEY is not the key of its first certificate — give the key/
    ],
    [
      "a key of another kind",
      { ...cert, DB_POOL_CLIENT_KEY: rsaKey },
      /^DB_POOL_CLIENT_CERT: the key in DB_POOL_CLIENT_KEY is not the key of its first certificate/
    ],
    [
      "a certificate alone, in JSON",
      { DB_POOL_CONFIG: JSON.stringify({ clientCert: client.cert }) },
      /^DB_POOL_CONFIG: clientCert: a certificate without its .*— give that in clientKey in DB_POOL_CONFIG/
    ],
    [
      "what is no text, in JSON",
      { DB_POOL_CONFIG: '{"ca":true}' },
      /^DB_POOL_CONFIG: ca: not a string \(true\) — give /
    ]
  ]

  it.effect.each(rows)("%s is told by name, with what to do and without any key", ([, environment, line]) =>
    Effect.gen(function* () {
      const { message, mistakes } = yield* Effect.flip(load(environment))
      expect(mistakes).toHaveLength(1)
      expect(message.split("\n")[1]?.trim()).toMatch(line)
      for (const value of Object.values(environment)) {
        for (const secret of value.match(/[\w+/]{40,}/g) ?? []) expect(message).not.toContain(secret)
      }
    })
  )

  it.effect("in code is told by the option's name, and beside those of the access", () =>
    Effect.gen(function* () {
      const layer = Config.layerOf({ url: "?", anonKey: "a", serviceRoleKey: "b", clientKey: client.key })
      const { message, mistakes } = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(mistakes.map(({ variable }) => variable)).toEqual(["clientKey", "url"])
      expect(message).toContain("clientKey: a private key without its certificate — give that in clientCert")
      expect(message).not.toContain(client.key.split("\n")[1] ?? "?")
    })
  )
})
