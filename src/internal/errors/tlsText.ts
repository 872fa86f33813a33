/** What to do after a TLS failure, by the code of Node's or OpenSSL's error. */

const untrusted: ReadonlySet<string> = new Set([
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** Alerts of the other side about our certificate, or its absence. Before TLS 1.3 there is only a general failure. */
const aboutOurs =
  /^ERR_SSL_(?:SSL|TLS)V\w+_ALERT_(?:NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/

/** The server ended the handshake; with TLS 1.3 that only arrives after the handshake looked finished here. */
export const isAlert = (code: string): boolean => /^ERR_SSL_(?:SSL|TLS)V\w+_ALERT_/.test(code)

const clock: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"])

/** Undefined for an unknown code. */
export const tlsRemedy = (code: string): string | undefined => {
  if (untrusted.has(code)) {
    return "To trust the certificate (of a company's proxy, or your own database), give its CA in DB_POOL_CA."
  }
  if (aboutOurs.test(code)) {
    return "If a client certificate is required, give an accepted one in DB_POOL_CLIENT_CERT, with DB_POOL_CLIENT_KEY."
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "The certificate is for another name: check the address."
  return clock.has(code) ? "Check the clock of this machine, then the dates of the certificate." : undefined
}
