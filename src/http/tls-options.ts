/** PEM texts; `clientCa` asks every client for a certificate of that authority. */
export type TlsFiles = { readonly cert: string; readonly key: string; readonly clientCa: string | null };

/**
 * For TLS 1.2; those of 1.3 all have forward secrecy. A key that is stolen later opens nothing that was recorded before
 * (RFC 9325 4.2).
 */
const ciphers = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** The TLS settings of a listener, as the runtime wants them. */
export function tlsOptions({ cert, key, clientCa }: TlsFiles) {
  const asked = clientCa === null ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, ciphers, ...asked };
}
