import { SourceError, type TlsFault } from "../domain/error.ts";

/** Error codes of the runtime: those of OpenSSL's X509_verify_cert_error_string(3) and of BoringSSL's alerts. */
const faultsByCode: readonly (readonly [RegExp, TlsFault])[] = [
  [/^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/, "expired"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "wrong_name"],
  [
    /^(?:UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|CERT_UNTRUSTED|INVALID_CA)$/,
    "unknown_authority",
  ],
  // The peer did not send a TLS record, but plain HTTP, SMTP or a proxy page.
  [
    /^ERR_SSL_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_TOO_LARGE)$/,
    "no_tls",
  ],
  // Alerts about our certificate (RFC 8446, 6.2). Up to TLS 1.2 a missing certificate is a plain handshake failure.
  [
    /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)_ALERT_(?:CERTIFICATE_\w+|BAD_CERTIFICATE|NO_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/,
    "client_certificate",
  ],
  [/^ERR_(?:SSL|TLS)_/, "other"],
];

const words: Record<TlsFault, string> = {
  unknown_authority: "its certificate is signed by an authority that is not trusted here",
  expired: "its certificate has expired, or is not valid yet",
  wrong_name: "its certificate is for another name",
  no_tls: "it does not speak TLS",
  client_certificate: "it refused the handshake and wants a client certificate that it accepts",
  other: "the TLS handshake failed",
};

/** The TLS fault of a runtime error code; null for codes of other kinds. */
export function tlsFaultOf(code: string): TlsFault | null {
  return faultsByCode.find(([pattern]) => pattern.test(code))?.[1] ?? null;
}

/** The source failure for a TLS error code of a connection to `host`. */
export function tlsError(host: string, code: string): SourceError {
  const tlsFault = tlsFaultOf(code) ?? "other";
  return new SourceError("tls", `${host}: ${words[tlsFault]} (${code})`, { tlsFault });
}
