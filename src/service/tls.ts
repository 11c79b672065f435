import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import type { TlsFiles } from "../http/tls-options.ts";

/** The TLS files of a configuration, and the end of their certificate. */
export type Certificate = { readonly files: TlsFiles; readonly notAfter: Date };

/**
 * Reads and checks the TLS files. The runtime would not say which file is wrong, or that a TLS file is the cause. Null
 * without TLS. Throws `ConfigError`.
 */
export function readTls({ server: { tlsCert, tlsKey, clientCa } }: Pick<Config, "server">): Certificate | null {
  if (tlsCert === null || tlsKey === null) return null;
  const aCertificate = "a PEM file with a certificate";
  const cert = readPem("server.tls_cert", tlsCert, aCertificate, (pem) => new X509Certificate(pem));
  const key = readPem("server.tls_key", tlsKey, "a PEM file with a private key without a password", createPrivateKey);
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    throw new ConfigError("server.tls_key", tlsKey, "the private key of the certificate in server.tls_cert");
  }
  const ca =
    clientCa === null ? null : readPem("server.client_ca", clientCa, aCertificate, (pem) => new X509Certificate(pem));
  const files = { cert: cert.pem, key: key.pem, clientCa: ca?.pem ?? null };
  return { files, notAfter: new Date(cert.parsed.validTo) };
}

function readPem<Parsed>(key: string, path: string, wanted: string, parse: (pem: string) => Parsed) {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch {
    throw new ConfigError(key, path, "a PEM file that can be read");
  }
  try {
    return { pem, parsed: parse(pem) };
  } catch {
    throw new ConfigError(key, path, wanted);
  }
}
