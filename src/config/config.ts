import { join, relative } from "node:path";
import type { Tlp } from "../domain/tlp.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";
import { credentialFile, type Environment, overrideFromEnvironment, overrideFromFlags } from "./environment.ts";
import { ConfigError } from "./error.ts";
import { declaredTables, readFile } from "./file.ts";
import { parseTable } from "./parse-table.ts";
import { parseSources } from "./sources.ts";
import { corpusTable, type logLevels, sectionTables, topTable } from "./tables.ts";
import { isLoopback, type ListenAddress } from "./value.ts";
import { type ConfiguredWebhook, parseWebhooks } from "./webhooks.ts";

/** All settings (docs/contract.md 12.2), deeply frozen. Null for a setting without a value and without a default. */
export type Config = {
  readonly dataDir: string;
  /** File of the server secret. */
  readonly secretFile: string;
  /** False when the secret is outside the data directory; a backup does not hold it then. */
  readonly isSecretInDataDir: boolean;
  /** True when the service manager passes the secret as a credential; we must not write to its folder then. */
  readonly isSecretCredential: boolean;
  readonly offline: boolean;
  readonly server: {
    readonly listen: ListenAddress;
    /** Mode of the unix socket, as 0o660. */
    readonly socketMode: number;
    readonly sourceUrl: string | null;
    /** The URL of the service for clients, with the path prefix of a proxy, without a slash at its end. */
    readonly publicUrl: string | null;
    /** True: look-ups by GET, with the address in the URL. */
    readonly getLookUp: boolean;
    /** Indicators in one list. */
    readonly bulkLimit: number;
    readonly tlsCert: string | null;
    readonly tlsKey: string | null;
    readonly clientCa: string | null;
    readonly insecureHttp: boolean;
    /** Addresses and networks. */
    readonly trustedProxies: readonly string[];
    /** In lower case. */
    readonly hostnames: readonly string[];
    /** After SIGTERM it serves as before for so long, and says that it is not ready. */
    readonly drainDelayMs: number;
  };
  readonly cache: { readonly ttlMs: number; readonly partialTtlMs: number };
  readonly scan: {
    readonly concurrency: number;
    readonly timeoutMs: number;
    readonly maxQueue: number;
    readonly retentionMs: number;
    readonly ledgerRetentionMs: number;
    /** Atoms of an envelope. */
    readonly maxFindings: number;
    /** The highest mark of a question that is put to sources outside the perimeter. */
    readonly maxTlpOutside: Tlp;
  };
  readonly watch: {
    /** Addresses on the list of a workspace. */
    readonly max: number;
    /** Each address is scanned in full this often; 0 = never. */
    readonly intervalMs: number;
    readonly eventRetentionMs: number;
  };
  /** Retention of the events of the audit trail and of the hourly usage totals. */
  readonly audit: { readonly retentionMs: number };
  /** Calls per window; 0 = unlimited. */
  readonly rateLimit: { readonly team: number; readonly enterprise: number; readonly windowMs: number };
  readonly outbound: {
    readonly proxy: string | null;
    readonly noProxy: readonly string[];
    readonly caFile: string | null;
  };
  readonly log: { readonly level: (typeof logLevels)[number]; readonly format: "json" | "pretty" };
  /** In the order of the file, including disabled sources. */
  readonly sources: readonly ConfiguredSource[];
  readonly webhooks: readonly ConfiguredWebhook[];
  readonly corpus: { readonly isEnabled: boolean; readonly timeoutMs: number };
};

export type ConfigRequest = {
  readonly flags: { readonly config?: string; readonly dataDir?: string; readonly listen?: string };
  readonly env: Environment;
  /** Without `sourceSecrets` no key of a source is read or required, and fingerprints are meaningless. */
  readonly needs: { readonly sourceSecrets: boolean };
  /** Read when no other file is named. The default file may be missing. */
  readonly defaultFile?: string;
};

/**
 * Reads the configuration: flags override the environment, the environment overrides the file, the file overrides the
 * defaults (docs/contract.md 12.2). An empty variable counts as not set. Throws `ConfigError`; a variable that names no
 * key only gives a warning.
 */
export function loadConfig(request: ConfigRequest): { config: Config; warnings: string[] } {
  const { flags, env, needs, defaultFile = "/etc/xpose/xpose.toml" } = request;
  const tables = declaredTables(readFile(flags.config, env, defaultFile));
  const warnings = overrideFromEnvironment(tables, env);
  overrideFromFlags(tables, flags);

  const top = parseTable(topTable, tables.top);
  const server = parseTable(sectionTables.server, tables.sections.server);
  const cache = parseTable(sectionTables.cache, tables.sections.cache);
  const scan = parseTable(sectionTables.scan, tables.sections.scan);
  const watch = parseTable(sectionTables.watch, tables.sections.watch);
  const audit = parseTable(sectionTables.audit, tables.sections.audit);
  const rateLimit = parseTable(sectionTables.rate_limit, tables.sections.rate_limit);
  const outbound = parseTable(sectionTables.outbound, tables.sections.outbound);
  const log = parseTable(sectionTables.log, tables.sections.log);
  const corpus = parseTable(corpusTable, tables.corpus);
  if ((server.tls_cert === undefined) !== (server.tls_key === undefined)) {
    const missing = server.tls_cert === undefined ? "server.tls_cert" : "server.tls_key";
    throw new ConfigError(missing, undefined, "a file: server.tls_cert and server.tls_key go together");
  }
  if (server.client_ca !== undefined && server.tls_cert === undefined) {
    throw new ConfigError("server.client_ca", server.client_ca, "it together with server.tls_cert and server.tls_key");
  }

  const credential = credentialFile(env, "xpose_secret");
  const secretFile = top.secret_file ?? credential ?? join(top.data_dir, "secret.key");
  const config: Config = {
    dataDir: top.data_dir,
    secretFile,
    isSecretInDataDir: isInside(secretFile, top.data_dir),
    isSecretCredential: secretFile === credential,
    offline: top.offline,
    server: {
      listen: server.listen,
      socketMode: server.socket_mode,
      sourceUrl: server.source_url ?? null,
      publicUrl: server.public_url ?? null,
      getLookUp: server.get_lookup,
      bulkLimit: server.bulk_limit,
      tlsCert: server.tls_cert ?? null,
      tlsKey: server.tls_key ?? null,
      clientCa: server.client_ca ?? null,
      insecureHttp: server.insecure_http,
      trustedProxies: server.trusted_proxies,
      hostnames: server.hostnames,
      drainDelayMs: server.drain_delay,
    },
    cache: { ttlMs: cache.ttl, partialTtlMs: cache.partial_ttl },
    scan: {
      concurrency: scan.concurrency,
      timeoutMs: scan.timeout,
      maxQueue: scan.max_queue,
      retentionMs: scan.retention,
      ledgerRetentionMs: scan.ledger_retention,
      maxFindings: scan.max_findings,
      maxTlpOutside: scan.max_tlp_outside,
    },
    watch: { max: watch.max, intervalMs: watch.interval, eventRetentionMs: watch.event_retention },
    audit: { retentionMs: audit.retention },
    rateLimit: { team: rateLimit.team, enterprise: rateLimit.enterprise, windowMs: rateLimit.window },
    outbound: { proxy: outbound.proxy ?? null, noProxy: outbound.no_proxy, caFile: outbound.ca_file ?? null },
    log,
    sources: parseSources(tables.sources, needs.sourceSecrets ? env : null),
    webhooks: parseWebhooks(tables.webhooks, needs.sourceSecrets),
    corpus: { isEnabled: corpus.enabled, timeoutMs: corpus.timeout },
  };
  return { config: deepFreeze(config), warnings };
}

/**
 * Checks that apply only to the service. Refuses plain HTTP on addresses other than loopback, and environment variables
 * that open a debugger, load code or disable TLS checks. Throws `ConfigError`.
 */
export function checkServeSettings({ server }: Config, env: Environment): void {
  for (const name of refusedVariables) {
    if ((env[name] ?? "") !== "") throw new ConfigError(name, "got (hidden), want it unset while xpose serves");
  }
  const { listen, tlsCert, insecureHttp } = server;
  if (listen.kind === "tcp" && !isLoopback(listen.host) && tlsCert === null && !insecureHttp) {
    const want = `true to serve plain HTTP on ${listen.host}, or server.tls_cert and server.tls_key`;
    throw new ConfigError("server.insecure_http", false, want);
  }
}

const refusedVariables = ["BUN_INSPECT", "BUN_OPTIONS", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED"];

function isInside(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith("../");
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
