import { join, relative } from "node:path";
import type * as z from "zod/mini";
import type { Tlp } from "../domain/tlp.ts";
import type { ConfiguredSource } from "../sources/source-set.ts";
import {
  credentialsOf,
  type Environment,
  type FindCredential,
  overrideFromEnvironment,
  overrideFromFlags,
} from "./environment.ts";
import { ConfigError } from "./error.ts";
import { openFaults } from "./faults.ts";
import { type DeclaredTables, declaredTables, readFile } from "./file.ts";
import { parseTable } from "./parse-table.ts";
import { parseSources } from "./sources.ts";
import { corpusTable, type logLevels, sectionTables, topTable } from "./tables.ts";
import { unitFolders } from "./unit-credential.ts";
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
  /** Where the unit of the service is looked for. */
  readonly unitFolders?: readonly string[];
};

/**
 * Reads the configuration: flags override the environment, the environment overrides the file, the file overrides the
 * defaults (docs/contract.md 12.2). An empty variable counts as not set. Throws the first `ConfigError`; a variable that
 * names no key only gives a warning.
 */
export function loadConfig(request: ConfigRequest): { config: Config; warnings: string[] } {
  const { config, faults, warnings } = examineConfig(request);
  if (config === null) throw faults[0];
  return { config, warnings };
}

/** What is sound in a configuration with faults; null for a part with a fault. */
export type ConfigParts = { readonly [Key in keyof Config]: Config[Key] | null };

export type ExaminedConfig = {
  /** Null when there are faults. */
  readonly config: Config | null;
  readonly parts: ConfigParts;
  readonly faults: readonly ConfigError[];
  readonly warnings: string[];
  /** The tables of the file with the keys that variables and flags set. */
  readonly tables: DeclaredTables;
  /** The file that was read; null without one. */
  readonly file: string | null;
};

/** Reads the configuration as `loadConfig` does, and finds all its faults. Throws for a file that cannot be read. */
export function examineConfig(request: ConfigRequest): ExaminedConfig {
  const { flags, env, needs, defaultFile = defaultConfigFile } = request;
  const faults = openFaults();
  const { file, table } = readFile(flags.config, env, defaultFile);
  const tables = declaredTables(table, faults);
  const warnings = overrideFromEnvironment(tables, env, faults);
  overrideFromFlags(tables, flags);
  // Another data directory than that of the service has its own secrets.
  const isOfService = !tables.top.setBy.has("data_dir");
  const credentialOf = credentialsOf(env, isOfService ? (request.unitFolders ?? unitFolders) : []);

  const top = parseTable(topTable, tables.top, faults);
  const server = parseTable(sectionTables.server, tables.sections.server, faults);
  const cache = parseTable(sectionTables.cache, tables.sections.cache, faults);
  const scan = parseTable(sectionTables.scan, tables.sections.scan, faults);
  const watch = parseTable(sectionTables.watch, tables.sections.watch, faults);
  const audit = parseTable(sectionTables.audit, tables.sections.audit, faults);
  const rateLimit = parseTable(sectionTables.rate_limit, tables.sections.rate_limit, faults);
  const outbound = parseTable(sectionTables.outbound, tables.sections.outbound, faults);
  const log = parseTable(sectionTables.log, tables.sections.log, faults);
  const corpus = parseTable(corpusTable, tables.corpus, faults);
  if (server !== null) faults.attempt(() => checkTogether(server));

  const parts: ConfigParts = {
    ...(top === null ? noTop : placesOf(top, credentialOf)),
    server: server && {
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
    cache: cache && { ttlMs: cache.ttl, partialTtlMs: cache.partial_ttl },
    scan: scan && {
      concurrency: scan.concurrency,
      timeoutMs: scan.timeout,
      maxQueue: scan.max_queue,
      retentionMs: scan.retention,
      ledgerRetentionMs: scan.ledger_retention,
      maxFindings: scan.max_findings,
      maxTlpOutside: scan.max_tlp_outside,
    },
    watch: watch && { max: watch.max, intervalMs: watch.interval, eventRetentionMs: watch.event_retention },
    audit: audit && { retentionMs: audit.retention },
    rateLimit: rateLimit && { team: rateLimit.team, enterprise: rateLimit.enterprise, windowMs: rateLimit.window },
    outbound: outbound && {
      proxy: outbound.proxy ?? null,
      noProxy: outbound.no_proxy,
      caFile: outbound.ca_file ?? null,
    },
    log,
    sources: parseSources(tables.sources, needs.sourceSecrets ? credentialOf : null, faults),
    webhooks: parseWebhooks(tables.webhooks, needs.sourceSecrets, faults),
    corpus: corpus && { isEnabled: corpus.enabled, timeoutMs: corpus.timeout },
  };
  const config = faults.list.length === 0 ? deepFreeze(parts as Config) : null;
  return { config, parts, faults: faults.list, warnings, tables, file };
}

/** Read when no other file is named. */
const defaultConfigFile = "/etc/xpose/xpose.toml";

type Top = z.output<typeof topTable>;
type PlaceKeys = "dataDir" | "secretFile" | "isSecretInDataDir" | "isSecretCredential" | "offline";

const noTop: Record<PlaceKeys, null> = {
  dataDir: null,
  secretFile: null,
  isSecretInDataDir: null,
  isSecretCredential: null,
  offline: null,
};

function placesOf(top: Top, credentialOf: FindCredential): Pick<Config, PlaceKeys> {
  const credential = credentialOf("xpose_secret");
  const secretFile = top.secret_file ?? credential ?? join(top.data_dir, "secret.key");
  return {
    dataDir: top.data_dir,
    secretFile,
    isSecretInDataDir: isInside(secretFile, top.data_dir),
    isSecretCredential: secretFile === credential,
    offline: top.offline,
  };
}

function checkTogether(server: z.output<typeof sectionTables.server>): void {
  if ((server.tls_cert === undefined) !== (server.tls_key === undefined)) {
    const missing = server.tls_cert === undefined ? "server.tls_cert" : "server.tls_key";
    throw new ConfigError(missing, undefined, "a file: server.tls_cert and server.tls_key go together");
  }
  if (server.client_ca !== undefined && server.tls_cert === undefined) {
    throw new ConfigError("server.client_ca", server.client_ca, "it together with server.tls_cert and server.tls_key");
  }
}

/**
 * Checks that apply only to the service. Refuses plain HTTP on addresses other than loopback, and environment variables
 * that open a debugger, load code or disable TLS checks. Throws `ConfigError`.
 */
export function checkServeSettings({ server }: Pick<Config, "server">, env: Environment): void {
  for (const fault of refusedVariableFaults(env)) throw fault;
  const { listen, tlsCert, insecureHttp } = server;
  if (listen.kind === "tcp" && !isLoopback(listen.host) && tlsCert === null && !insecureHttp) {
    const want = `true to serve plain HTTP on ${listen.host}, or server.tls_cert and server.tls_key`;
    throw new ConfigError("server.insecure_http", false, want);
  }
}

/** A fault for each set variable that opens a debugger, loads code or disables TLS checks. */
export function refusedVariableFaults(env: Environment): ConfigError[] {
  return refusedVariables
    .filter((name) => (env[name] ?? "") !== "")
    .map((name) => new ConfigError(name, "got (hidden), want it unset while xpose serves"));
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
