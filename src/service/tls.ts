import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import type { Faults } from "../config/faults.ts";
import { timestamp } from "../domain/time.ts";
import type { TlsFiles } from "../http/tls-options.ts";

/** The TLS files of a configuration, and the end of their certificate. */
export type Certificate = { readonly files: TlsFiles; readonly notAfter: Date };

/**
 * Reads and checks the TLS files. The runtime would not say which file is wrong, or that a TLS file is the cause. Null
 * without TLS. Throws `ConfigError`.
 */
export function readTls({ server: { tlsCert, tlsKey, clientCa } }: Pick<Config, "server">): Certificate | null {
  if (tlsCert === null || tlsKey === null) return null;
  const cert = readCertificate("server.tls_cert", tlsCert);
  const key = readKey(tlsKey);
  if (!cert.parsed.checkPrivateKey(key.parsed)) throw notItsKey(tlsKey);
  const ca = clientCa === null ? null : readCertificate("server.client_ca", clientCa);
  const files = { cert: cert.pem, key: key.pem, clientCa: ca?.pem ?? null };
  return { files, notAfter: new Date(cert.parsed.validTo) };
}

/** Finds every fault of the TLS files. The service starts with a certificate that has ended, so that can be left out. */
export function findTlsFaults(
  { server: { tlsCert, tlsKey, clientCa } }: Pick<Config, "server">,
  faults: Faults,
  now: Date | null,
): void {
  if (tlsCert === null || tlsKey === null) return;
  const cert = faults.attempt(() => readCertificate("server.tls_cert", tlsCert));
  const key = faults.attempt(() => readKey(tlsKey));
  if (cert !== null && key !== null && !cert.parsed.checkPrivateKey(key.parsed)) faults.add(notItsKey(tlsKey));
  if (clientCa !== null) faults.attempt(() => readCertificate("server.client_ca", clientCa));
  if (cert === null || now === null) return;
  const end = new Date(cert.parsed.validTo);
  if (end <= now) faults.add(new ConfigError("server.tls_cert", `the certificate expired at ${timestamp(end)}`));
}

function readCertificate(setting: string, path: string) {
  return readPem(setting, path, "a PEM file with a certificate", (pem) => new X509Certificate(pem));
}

function readKey(path: string) {
  return readPem("server.tls_key", path, "a PEM file with a private key without a password", createPrivateKey);
}

function notItsKey(path: string): ConfigError {
  return new ConfigError("server.tls_key", path, "the private key of the certificate in server.tls_cert");
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
