/** Whom TLS trusts, and what it shows of itself: of the server, through a proxy or not, and of a proxy of `https`. */
import { readFileSync } from "node:fs"
import * as Tls from "node:tls"
import { Config, Effect, Option, Redacted } from "effect"
import type { PoolOptions } from "../config/model.js"
import { certificatesIn } from "../config/pem.js"

type Known = { readonly getCACertificates: (kind: "default") => ReadonlyArray<string> }

/** From Node 22.15 on. */
const knowsItsOwn = (tls: object): tls is Known => "getCACertificates" in tls

/** A namespace of a built-in module has no prototype, and its type does not know what newer versions have. */
const tls: object = Tls

/** Before that Node does not tell what it took from there. */
const extra: Effect.Effect<ReadonlyArray<string>> = Config.string("NODE_EXTRA_CA_CERTS").pipe(
  Effect.flatMap((path) => Effect.try(() => certificatesIn(readFileSync(path, "utf8")))),
  // Node itself has warned of a file that it cannot read.
  Effect.orElseSucceed(() => [])
)

/** What Node trusts. A context with CAs of its own has only these. */
const usual: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
  knowsItsOwn(tls)
    ? Effect.succeed(tls.getCACertificates("default"))
    : Effect.map(extra, (more) => [...Tls.rootCertificates, ...more])
)

/** Made once for all sockets, since each reads all CAs again; undefined where Node's own is what is wanted. */
export const secureContext = ({
  ca,
  clientCert,
  clientKey
}: Pick<PoolOptions, "ca" | "clientCert" | "clientKey">): Effect.Effect<Tls.SecureContext | undefined> =>
  Effect.gen(function* () {
    if (Option.isNone(ca) && Option.isNone(clientCert)) return undefined
    const trusted = Option.isNone(ca) ? undefined : [...(yield* usual), ...certificatesIn(ca.value)]
    return Tls.createSecureContext({
      ...(trusted === undefined ? {} : { ca: trusted }),
      ...(Option.isNone(clientCert) ? {} : { cert: clientCert.value }),
      ...(Option.isNone(clientKey) ? {} : { key: Redacted.value(clientKey.value) })
    })
  })
