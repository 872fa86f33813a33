/**
 * Certificates and private keys: PEM itself, or the path of a file, which is read immediately, so that an accepted
 * configuration no longer needs the file.
 */
import * as Crypto from "node:crypto"
import { readFileSync } from "node:fs"
import * as Tls from "node:tls"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Parsed, type Parser, type Refusal, refuse } from "./parse.js"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNREADABLE"

interface Kind {
  readonly remedy: string
  readonly check: (pem: string) => Option.Option<Refusal>
}

const unread: Readonly<Record<string, string>> = {
  ENOENT: "neither PEM nor an existing file",
  ENAMETOOLONG: "neither PEM nor an existing file",
  ENOTDIR: "neither PEM nor an existing file",
  EACCES: "a file that this process may not read",
  EISDIR: "a folder, not a file"
}

const isPem = (text: string): boolean => text.includes("-----BEGIN ")

const read = (path: string): Either.Either<string, unknown> =>
  Either.try({ try: () => readFileSync(path, "utf8"), catch: (error) => error })

const fromText = (kind: Kind, text: string): Parsed<string> => {
  // For variables that can hold only one line, tools write line ends as two characters.
  const content = isPem(text) ? Either.right(text.replaceAll("\\n", "\n")) : read(text.trim())
  if (Either.isLeft(content)) {
    const code = codeOf(content.left)
    return refuse(unread[code] ?? `neither PEM nor a file that can be read (${code})`, kind.remedy)
  }
  const pem = content.right
  if (!isPem(pem)) return refuse("a file without PEM in it", kind.remedy)
  return Option.match(kind.check(pem), { onNone: () => Either.right(pem), onSome: Either.left })
}

const certificate = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/gs
const privateKey = /-----BEGIN (?:\w+ )?PRIVATE KEY-----.+?-----END (?:\w+ )?PRIVATE KEY-----/s

/** The certificates of a text, each as its own PEM. */
export const certificatesIn = (pem: string): ReadonlyArray<string> => pem.match(certificate) ?? []

const x509 = (pem: string): Either.Either<Crypto.X509Certificate, unknown> =>
  Either.try({ try: () => new Crypto.X509Certificate(pem), catch: (error) => error })

const checkCertificates =
  (remedy: string) =>
  (pem: string): Option.Option<Refusal> => {
    const all = certificatesIn(pem)
    if (all.length === 0) {
      const problem = privateKey.test(pem) ? "a private key, where a certificate belongs" : "PEM without a certificate"
      return Option.some({ problem, remedy })
    }
    const broken = all.findIndex((each) => Either.isLeft(x509(each)))
    return broken === -1
      ? Option.none()
      : Option.some({ problem: `certificate ${broken + 1} of ${all.length} cannot be read`, remedy })
  }

const checkKey =
  (remedy: string) =>
  (pem: string): Option.Option<Refusal> => {
    const [key] = privateKey.exec(pem) ?? []
    if (key === undefined) {
      const problem = certificatesIn(pem).length > 0 ? "a certificate, where its private key belongs" : "no private key"
      return Option.some({ problem, remedy })
    }
    if (/ENCRYPTED/.test(key)) {
      return Option.some({
        problem: "an encrypted private key",
        remedy: "decrypt it (openssl pkey -in key.pem -out plain.pem), and let this process alone read the file"
      })
    }
    const parsed = Either.try({ try: () => Crypto.createPrivateKey(key), catch: codeOf })
    return Either.isRight(parsed)
      ? Option.none()
      : Option.some({ problem: `a private key that cannot be read (${parsed.left})`, remedy })
  }

const kindOf = (what: string, check: (remedy: string) => Kind["check"]): Kind => {
  const remedy = `give ${what}: the path of a PEM file, or the PEM itself`
  return { remedy, check: check(remedy) }
}

const textOf = (value: unknown): string | undefined => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
  return typeof text === "string" && text.trim() !== "" ? text : undefined
}

const parser = <A>(kind: Kind, make: (pem: string) => A): Parser<Option.Option<A>> => {
  const present = (text: string): Parsed<Option.Option<A>> =>
    Either.map(fromText(kind, text), (pem) => Option.some(make(pem)))
  return {
    fromText: present,
    fromUnknown: (value) => {
      if (Option.isOption(value) && Option.isNone(value)) return Either.right(Option.none())
      const text = textOf(Option.isOption(value) ? Option.getOrUndefined(value) : value)
      return text === undefined ? refuse("not a string", kind.remedy) : present(text)
    }
  }
}

export const authorities: Parser<Option.Option<string>> = parser(
  kindOf("the certificates of those to trust", checkCertificates),
  (pem) => pem
)

export const clientCertificate: Parser<Option.Option<string>> = parser(
  kindOf("the client's certificate, and after it those between it and its CA", checkCertificates),
  (pem) => pem
)

export const clientKey: Parser<Option.Option<Redacted.Redacted>> = parser(
  kindOf("the private key of the client's certificate", checkKey),
  // Its certificate may be in the same file.
  (pem) => Redacted.make(privateKey.exec(pem)?.[0] ?? pem)
)

/** Why a readable certificate and a readable key do not match. */
export const pairProblem = (cert: string, key: Redacted.Redacted, itsKey: string): Option.Option<Refusal> => {
  const [leaf = ""] = certificatesIn(cert)
  const pem = Redacted.value(key)
  const fits = Either.map(x509(leaf), (own) => own.checkPrivateKey(Crypto.createPrivateKey(pem)))
  if (!Either.getOrElse(fits, () => false)) {
    const remedy = `give the key that the certificate was made with; the client's own certificate comes first in its file`
    return Option.some({ problem: `the key in ${itsKey} is not the key of its first certificate`, remedy })
  }
  const usable = Either.try({ try: () => Tls.createSecureContext({ cert, key: pem }), catch: codeOf })
  if (Either.isRight(usable)) return Option.none()
  const remedy = "ask for a new one: RSA of 2048 bits or more, or EC, signed with SHA-256"
  return Option.some({ problem: `TLS does not accept it (${usable.left})`, remedy })
}
