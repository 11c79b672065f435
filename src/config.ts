import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve } from "node:path";
import * as z from "zod/mini";
import { canonicalJson } from "./domain/canonical-json.ts";
import { ipVersion, isLoopbackAddress } from "./domain/ip-address.ts";
import type { Pace } from "./domain/pace.ts";
import { sourceKinds } from "./sources/registry.ts";
import type { SourceKind } from "./sources/source.ts";
import type { ConfiguredSource } from "./sources/source-set.ts";

/** All settings (CONTRACT.md 12.2). Frozen throughout; null where nothing is set and there is no default. */
export type Config = {
  readonly dataDir: string;
  /** File of the server secret. */
  readonly secretFile: string;
  /** False when the secret comes from elsewhere: then a backup does not hold it. */
  readonly isSecretInDataDir: boolean;
  /** True when the service manager hands the secret over; the folder it lies in is then not ours to write. */
  readonly isSecretCredential: boolean;
  readonly offline: boolean;
  readonly server: {
    readonly listen: ListenAddress;
    /** Mode of the unix socket, as 0o660. */
    readonly socketMode: number;
    readonly sourceUrl: string | null;
    /** Where clients reach the service, with the path that a proxy puts before ours; no slash at its end. */
    readonly publicUrl: string | null;
    readonly tlsCert: string | null;
    readonly tlsKey: string | null;
    readonly clientCa: string | null;
    readonly insecureHttp: boolean;
    /** Addresses and networks. */
    readonly trustedProxies: readonly string[];
    /** In lower case. */
    readonly hostnames: readonly string[];
  };
  readonly cache: { readonly ttlMs: number; readonly partialTtlMs: number };
  readonly scan: {
    readonly concurrency: number;
    readonly timeoutMs: number;
    readonly maxQueue: number;
    readonly retentionMs: number;
    readonly ledgerRetentionMs: number;
  };
  /** How long events of the audit trail and hourly totals of use are kept. */
  readonly audit: { readonly retentionMs: number };
  /** Calls per window; 0 = unlimited. */
  readonly rateLimit: { readonly team: number; readonly enterprise: number; readonly windowMs: number };
  readonly outbound: {
    readonly proxy: string | null;
    readonly noProxy: readonly string[];
    readonly caFile: string | null;
  };
  readonly log: { readonly level: (typeof logLevels)[number]; readonly format: "json" | "pretty" };
  /** In the order of the file, disabled ones included. */
  readonly sources: readonly ConfiguredSource[];
  readonly corpus: { readonly isEnabled: boolean; readonly timeoutMs: number };
};

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export type Environment = Readonly<Record<string, string | undefined>>;

export type ConfigRequest = {
  readonly flags: { readonly config?: string; readonly dataDir?: string; readonly listen?: string };
  readonly env: Environment;
  /** Without `sourceSecrets` no key of a source is read or asked for; fingerprints then mean nothing. */
  readonly needs: { readonly sourceSecrets: boolean };
  /** Read when no other file is named, and need not be there. */
  readonly defaultFile?: string;
};

/** A setting that cannot be used. The message is one line that names the key and shows no secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(key: string, ...problem: [got: unknown, want: string] | [text: string]) {
    super(`${key}: ${problem.length === 1 ? problem[0] : `got ${shown(key, problem[0])}, want ${problem[1]}`}`);
  }
}

/**
 * Reads the configuration: flags over environment over file over defaults (CONTRACT.md 12.2). A variable that is
 * empty counts as not set. Throws `ConfigError`; a variable that names no key is only a warning.
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
      tlsCert: server.tls_cert ?? null,
      tlsKey: server.tls_key ?? null,
      clientCa: server.client_ca ?? null,
      insecureHttp: server.insecure_http,
      trustedProxies: server.trusted_proxies,
      hostnames: server.hostnames,
    },
    cache: { ttlMs: cache.ttl, partialTtlMs: cache.partial_ttl },
    scan: {
      concurrency: scan.concurrency,
      timeoutMs: scan.timeout,
      maxQueue: scan.max_queue,
      retentionMs: scan.retention,
      ledgerRetentionMs: scan.ledger_retention,
    },
    audit: { retentionMs: audit.retention },
    rateLimit: { team: rateLimit.team, enterprise: rateLimit.enterprise, windowMs: rateLimit.window },
    outbound: { proxy: outbound.proxy ?? null, noProxy: outbound.no_proxy, caFile: outbound.ca_file ?? null },
    log,
    sources: parseSources(tables.sources, needs.sourceSecrets ? env : null),
    corpus: { isEnabled: corpus.enabled, timeoutMs: corpus.timeout },
  };
  return { config: deepFreeze(config), warnings };
}

/**
 * What only the service must refuse: plain HTTP that others can reach, and variables that open a debugger, load code
 * or switch TLS checks off. Throws `ConfigError`.
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

/**
 * The environment of this process. Removes from it the proxy variables: the runtime would obey them beside, and
 * against, `outbound.proxy`.
 */
export function environment(): Environment {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^(?:https?|all|no)_proxy$/i.test(name)) delete process.env[name];
  }
  return env;
}

/** Every key that a configuration may hold, with its table in front: `server.listen`, `sources.http.url`. */
export function settingKeys(): string[] {
  const own = (path: string, schema: z.ZodMiniType) => keysOf(schema).map((key) => joinPath(path, key));
  return [
    ...own("", topTable),
    ...Object.entries(sectionTables).flatMap(([name, schema]) => own(name, schema)),
    ...own("sources.corpus", corpusTable),
    ...sourceKinds.flatMap((kind) =>
      [...commonKeysOf(kind), ...keysOf(kind.settings)].map((key) => joinPath("sources", kind.kind, key)),
    ),
  ];
}

const refusedVariables = ["BUN_INSPECT", "BUN_OPTIONS", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED"];
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** Timers of the runtime take at most 2^31 ms, about 24 days: a longer time-out would fire at once. */
const maxTimeoutMs = 24 * 60 * 60 * 1000;
/** Keeps every date that is computed from a duration far inside what a Date can hold. */
const maxDurationMs = 36_500 * 24 * 60 * 60 * 1000;
const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

// The messages of the schemas say what is wanted.
const flag = z.boolean("true or false");
const path = parsed("an absolute path", (text) => (isAbsolute(text) && !/\p{Cc}/u.test(text) ? text : null));
const lifetime = parsed("a duration such as 90s, 15m, 24h or 30d, or 0s", (text) => parseDuration(text, 0));
const duration = parsed("a duration such as 90s, 15m, 24h or 30d", (text) => parseDuration(text, 1));
const timeout = parsed("a duration from 1s to 24h", (text) => parseDuration(text, 1, maxTimeoutMs));
const url = parsed("an absolute http or https URL", (text) => (isHttpUrl(text) ? text : null));
const plainUrl = parsed("an absolute http or https URL without name, password, query and fragment", (text) => {
  const address = isHttpUrl(text) ? new URL(text) : null;
  const isPlain = address !== null && `${address.username}${address.password}${address.search}${address.hash}` === "";
  return isPlain ? text.replace(/\/+$/, "") : null;
});
const sourceName = z.string(wantedName()).check(z.regex(/^[a-z0-9][a-z0-9_-]{0,49}$/, wantedName()));
const apiKey = z
  .string("an API key")
  .check(z.regex(/^[\x21-\x7e]{1,4096}$/, "an API key: printable ASCII without blanks"));
const hostnames = parsed("a host name without a port", (text) =>
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i.test(text) ? text.toLowerCase() : null,
);
const networks = parsed("an address or a network such as 10.0.0.0/8", (text) => (isNetwork(text) ? text : null));
const proxyTargets = "host names or networks, separated by commas";

function atLeast(minimum: number) {
  const want = `a whole number from ${minimum} to 1000000000`;
  return z.int(want).check(z.minimum(minimum, want), z.maximum(1_000_000_000, want));
}

function wantedName(): string {
  return "1 to 50 of a-z, 0-9, - and _, the first a letter or digit";
}

/** A text that `parse` turns into a value; null means that it cannot. */
function parsed<Value>(want: string, parse: (text: string) => Value | null) {
  return z.transform((input, context): Value => {
    const value = typeof input === "string" ? parse(input) : null;
    if (value !== null) return value;
    context.issues.push({ code: "custom", message: want, input });
    return z.NEVER;
  });
}

const topTable = z.strictObject({
  data_dir: z.prefault(path, "/var/lib/xpose"),
  secret_file: z.optional(path),
  offline: z._default(flag, false),
});

const sectionTables = {
  server: z.strictObject({
    listen: z.prefault(parsed("host:port, [ipv6]:port or unix:/path", parseListen), "127.0.0.1:8080"),
    socket_mode: z.prefault(
      parsed("a file mode such as 0660, as text", (text) =>
        /^0[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : null,
      ),
      "0660",
    ),
    source_url: z.optional(url),
    public_url: z.optional(plainUrl),
    tls_cert: z.optional(path),
    tls_key: z.optional(path),
    client_ca: z.optional(path),
    insecure_http: z._default(flag, false),
    trusted_proxies: z._default(z.array(networks, "a list of addresses or networks"), []),
    hostnames: z._default(z.array(hostnames, "a list of host names"), []),
  }),
  cache: z.strictObject({ ttl: z.prefault(lifetime, "24h"), partial_ttl: z.prefault(lifetime, "15m") }),
  scan: z.strictObject({
    concurrency: z._default(atLeast(1), 16),
    timeout: z.prefault(timeout, "90s"),
    max_queue: z._default(atLeast(1), 10_000),
    retention: z.prefault(duration, "30d"),
    ledger_retention: z.prefault(duration, "400d"),
  }),
  audit: z.strictObject({ retention: z.prefault(duration, "400d") }),
  rate_limit: z.strictObject({
    team: z._default(atLeast(0), 600),
    enterprise: z._default(atLeast(0), 6000),
    window: z.prefault(duration, "1h"),
  }),
  outbound: z.strictObject({
    proxy: z.optional(url),
    no_proxy: z._default(
      z.union([parsed(proxyTargets, splitList), z.array(z.string().check(z.trim(), z.minLength(1)))], proxyTargets),
      [],
    ),
    ca_file: z.optional(path),
  }),
  log: z.strictObject({
    level: z._default(z.enum(logLevels, `one of ${logLevels.join(", ")}`), "info"),
    format: z._default(z.enum(["json", "pretty"], "json or pretty"), "json"),
  }),
};

type SectionName = keyof typeof sectionTables;

const setByXpose = "another header: xpose sets this one itself";
/** Headers that frame the message or belong to the connection; the client sets them. */
const clientHeaders = [
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
];

/** What a source's table may hold beside the kind's own keys (CONTRACT.md 11.2). */
const commonTable = z.strictObject({
  name: z.optional(sourceName),
  enabled: z._default(flag, true),
  timeout: z.optional(timeout),
  rate: z.optional(parsed("calls per duration, such as 10/1m", parseRate)),
  confidence: z.optional(
    z.number("a number from 0 to 1").check(z.minimum(0, "a number from 0 to 1"), z.maximum(1, "a number from 0 to 1")),
  ),
  origin: z.optional(sourceName),
  workspaces: z.optional(
    z.array(z.string(wantedWorkspaces()).check(z.minLength(1, wantedWorkspaces())), wantedWorkspaces()),
  ),
  internal: z._default(flag, false),
  base_url: z.optional(plainUrl),
  api_key: z.optional(apiKey),
  api_key_file: z.optional(path),
  client_cert: z.optional(path),
  client_key: z.optional(path),
  headers: z._default(
    z.record(
      z.string().check(
        z.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a header name"),
        z.refine((name) => !clientHeaders.includes(name.toLowerCase()), setByXpose),
      ),
      z.string().check(z.regex(/^[\t\x20-\x7e\x80-\xff]*$/, "must be a header value")),
    ),
    {},
  ),
});

function wantedWorkspaces(): string {
  return "a list of workspace ids or names";
}

/** Corpora need no table; theirs only switches them off or gives them more time. */
const corpusTable = z.strictObject({ enabled: z._default(flag, true), timeout: z.prefault(timeout, "10s") });

/** The one kind that is declared many times, as `[[sources.http]]` with a `name`. */
const listedKind = "http";
/** The kinds that may stand inside the perimeter: they may be asked by plain HTTP and while offline (CONTRACT.md 11.7). */
const insideKinds = ["http", "misp"];

function commonKeysOf({ kind, auth }: SourceKind): string[] {
  return [
    ...["enabled", "timeout", "rate", "confidence", "origin", "workspaces"],
    ...(kind === listedKind ? ["name"] : []),
    ...(insideKinds.includes(kind) ? ["internal"] : []),
    ...(auth === "key" ? ["base_url", "api_key", "api_key_file"] : []),
    ...(auth === "key" || kind === listedKind ? ["client_cert", "client_key", "headers"] : []),
  ];
}

type Table = Record<string, unknown>;

/** A table of the file, or an empty one where the file has none, with the keys that a variable may set. */
type DeclaredTable = {
  /** `server`, `sources.http.intranet`; empty for the top of the file. */
  readonly path: string;
  readonly values: Table;
  readonly scalars: ReadonlyMap<string, Scalar>;
  /** What else than the file set a key, by key. */
  readonly setBy: Map<string, string>;
};

type Scalar = "text" | "number" | "boolean";
type DeclaredSource = DeclaredTable & { readonly kind: SourceKind };

type DeclaredTables = {
  readonly top: DeclaredTable;
  readonly sections: Readonly<Record<SectionName, DeclaredTable>>;
  readonly corpus: DeclaredTable;
  readonly sources: readonly DeclaredSource[];
};

function readFile(flagged: string | undefined, env: Environment, defaultFile: string): Table {
  const named = flagged ?? (env["XPOSE_CONFIG"] || undefined);
  const file = named ?? defaultFile;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (named === undefined && codeOf(error) === "ENOENT") return {};
    const key = flagged !== undefined ? "--config" : named !== undefined ? "XPOSE_CONFIG" : "configuration file";
    throw new ConfigError(key, `got ${JSON.stringify(file)} (${codeOf(error)}), want a file that can be read`);
  }
  return parseToml(text, file);
}

function parseToml(text: string, file: string): Table {
  try {
    return tableFrom(Bun.TOML.parse(text), file);
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    // The parser quotes a value that lacks its quotation marks, and that may be a secret.
    const reason = error.message.replace(/^TOML Parse error: /, "").split(': "')[0];
    throw new ConfigError(file, `line ${brokenLine(text)}: ${reason}`);
  }
}

/** The parser gives no position: the fault is in the statement that follows the longest part that can be read. */
function brokenLine(text: string): number {
  const lines = text.split("\n");
  let count = lines.length - 1;
  while (count > 0 && !isToml(`${lines.slice(0, count).join("\n")}\n`)) count--;
  return count + 1;
}

function isToml(text: string): boolean {
  try {
    Bun.TOML.parse(text);
    return true;
  } catch {
    return false;
  }
}

function declaredTables(root: Table): DeclaredTables {
  const { sources = {}, ...rest } = root;
  const names = Object.keys(sectionTables);
  const top = Object.fromEntries(Object.entries(rest).filter(([key]) => !names.includes(key)));
  const section = (name: SectionName) => declared(name, rest[name] ?? {}, scalarsOf(sectionTables[name]));
  const { corpus = {}, ...tablesByKind } = tableFrom(sources, "sources");
  return {
    top: declared("", top, scalarsOf(topTable)),
    sections: {
      server: section("server"),
      cache: section("cache"),
      scan: section("scan"),
      audit: section("audit"),
      rate_limit: section("rate_limit"),
      outbound: section("outbound"),
      log: section("log"),
    },
    corpus: declared("sources.corpus", corpus, scalarsOf(corpusTable)),
    sources: declaredSources(tablesByKind),
  };
}

function declaredSources(tablesByKind: Table): DeclaredSource[] {
  const sources = Object.entries(tablesByKind).flatMap(([name, value]): DeclaredSource[] => {
    const kind = sourceKinds.find((candidate) => candidate.kind === name);
    const key = joinPath("sources", name);
    if (kind === undefined) throw new ConfigError(key, "unknown key");
    const keys = commonKeysOf(kind);
    const common = [...scalarsOf(commonTable)].filter(([one]) => one !== "name" && keys.includes(one));
    const scalars = new Map([...common, ...scalarsOf(kind.settings)]);
    if (name !== listedKind) return [{ ...declared(key, value, scalars), kind }];
    if (!Array.isArray(value)) throw new ConfigError(key, value, `tables with double brackets, [[${key}]]`);
    return value.map((one: unknown, index) => {
      const values = tableFrom(one, `${key}[${index}]`);
      const given = sourceName.safeParse(values["name"]);
      if (!given.success) throw new ConfigError(`${key}[${index}].name`, values["name"], wantedName());
      return { ...declared(joinPath(key, given.data), values, scalars), kind };
    });
  });
  const names = sources.map(nameOf);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new ConfigError("sources", `two sources are named ${repeated}, want one of a name`);
  return sources;
}

function nameOf({ kind, values }: DeclaredSource): string {
  const { name } = values;
  return kind.kind === listedKind && typeof name === "string" ? name : kind.kind;
}

function declared(path: string, value: unknown, scalars: ReadonlyMap<string, Scalar>): DeclaredTable {
  return { path, values: { ...tableFrom(value, path) }, scalars, setBy: new Map() };
}

/** Dates of the file are objects too, but no tables. */
function tableFrom(value: unknown, key: string): Table {
  const isTable =
    typeof value === "object" && value !== null && Object.prototype.toString.call(value) === "[object Object]";
  if (!isTable) throw new ConfigError(key, value, "a table");
  return { ...value };
}

function keysOf(schema: z.ZodMiniType): string[] {
  return Object.keys(shapeOf(schema));
}

/** The keys of a schema that hold one value, with the type that the file wants. */
function scalarsOf(schema: z.ZodMiniType): Map<string, Scalar> {
  const scalars = new Map<string, Scalar>();
  for (const [key, inner] of Object.entries(shapeOf(schema))) {
    const scalar = scalarOf(inner);
    if (scalar !== null) scalars.set(key, scalar);
  }
  return scalars;
}

/** Read from the schema itself: the JSON Schema of all tables would take a tenth of the time that the service needs to start. */
function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  if (schema instanceof z.ZodMiniLazy) return shapeOf(schema.def.getter());
  if (!(schema instanceof z.ZodMiniObject)) throw new TypeError("the schema of a table is no object");
  return schema.shape;
}

/** Null for a list and a table. Of alternatives the first that is one value counts. */
function scalarOf(schema: z.core.$ZodType): Scalar | null {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "string":
    case "enum":
    // All of ours take a text, see `parsed`.
    case "transform":
      return "text";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
      return scalarOf(def.innerType);
    case "pipe":
      return scalarOf(def.in);
    case "union":
      return def.options.map(scalarOf).find((scalar) => scalar !== null) ?? null;
    case "array":
    case "record":
    case "object":
      return null;
    default:
      throw new TypeError(`no table has a key of the type ${def.type}`);
  }
}

/** Lets variables set keys, and returns a warning for each that names none. They never declare a source. */
function overrideFromEnvironment(tables: DeclaredTables, env: Environment): string[] {
  const given = Object.entries(env).filter(([name, text]) => isOverride(name) && text !== undefined && text !== "");
  if (given.length === 0) return [];
  const { top, sections, corpus, sources } = tables;
  const all = [top, ...Object.values(sections), corpus, ...sources];
  const targets = all.flatMap((table) => [...table.scalars].map(([key, scalar]) => ({ table, key, scalar })));
  const byVariable = Map.groupBy(targets, ({ table, key }) => variableOf(table, key));
  const warnings: string[] = [];
  for (const [name, text = ""] of given.sort()) {
    const [target, second] = byVariable.get(name) ?? [];
    if (target === undefined) {
      warnings.push(`${name} names no key that a variable could set and is ignored`);
      continue;
    }
    if (second !== undefined) {
      const paths = [target, second].map(({ table, key }) => joinPath(table.path, key));
      throw new ConfigError(name, `it names both ${paths.join(" and ")}, want them set in the file`);
    }
    set(target.table, target.key, scalarFrom(text, target.scalar), name);
  }
  return warnings;
}

/** `XPOSE_CONFIG` names the file itself; `XPOSE_API_KEY` belongs to clients. */
const otherVariables = ["XPOSE_CONFIG", "XPOSE_API_KEY"];

function isOverride(name: string): boolean {
  return name.startsWith("XPOSE_") && !otherVariables.includes(name);
}

function variableOf({ path }: DeclaredTable, key: string): string {
  return ["xpose", ...path.split("."), key]
    .filter((part) => part !== "")
    .join("_")
    .replaceAll("-", "_")
    .toUpperCase();
}

/** What is not of the type stays text, which its schema then refuses. */
function scalarFrom(text: string, scalar: Scalar): unknown {
  if (scalar === "number") return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
  if (scalar === "text") return text;
  if (text === "true" || text === "1") return true;
  return text === "false" || text === "0" ? false : text;
}

function overrideFromFlags({ top, sections }: DeclaredTables, { dataDir, listen }: ConfigRequest["flags"]): void {
  // Typed by a person, so it may be relative to where they are.
  if (dataDir !== undefined) set(top, "data_dir", dataDir === "" ? dataDir : resolve(dataDir), "--data-dir");
  if (listen !== undefined) set(sections.server, "listen", listen, "--listen");
}

/** The other of these two keys: a variable that sets one takes the place of whatever the file says. */
const rivals: Readonly<Record<string, string>> = { api_key: "api_key_file", api_key_file: "api_key" };

function set({ values, setBy }: DeclaredTable, key: string, value: unknown, by: string): void {
  values[key] = value;
  setBy.set(key, by);
  const rival = rivals[key];
  if (rival !== undefined && !setBy.has(rival)) delete values[rival];
}

const tableParsing = {
  // Compiling a schema takes longer than interpreting it, and a table is parsed once.
  jitless: true,
  // Only for what the schema itself has no words for.
  error: ({ code, expected }: z.core.$ZodRawIssue) => (code === "invalid_type" ? plainTypes[expected] : undefined),
} as const;

function parseTable<Schema extends z.ZodMiniType>(schema: Schema, table: DeclaredTable): z.output<Schema> {
  const result = schema.safeParse(table.values, tableParsing);
  if (result.success) return result.data;
  throw errorOf(result.error, table);
}

function errorOf({ issues }: z.core.$ZodError, { path, values, setBy }: DeclaredTable): ConfigError {
  const [issue] = issues;
  if (issue === undefined) return new ConfigError(path, values, "other settings");
  const inner = joinPath(...issue.path.map(String));
  if (issue.code === "unrecognized_keys")
    return new ConfigError(joinPath(path, inner, issue.keys[0] ?? ""), "unknown key");
  const by = setBy.get(inner);
  const key = joinPath(path, inner) + (by === undefined ? "" : ` (from ${by})`);
  const got = issue.path.reduce<unknown>((value, step) => (isIndexable(value) ? value[step] : undefined), values);
  return new ConfigError(key, got, wantedBy(issue));
}

function isIndexable(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}

/** Our schemas say what they want. */
function wantedBy(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key" && issue.issues[0] !== undefined) return wantedBy(issue.issues[0]);
  return issue.message.replace(/^must be /, "");
}

const plainTypes: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  number: "a number",
  object: "a table",
  record: "a table",
  string: "a text in quotation marks",
};

/** Without `env` no secret is read or missed. */
function parseSources(sources: readonly DeclaredSource[], env: Environment | null): ConfiguredSource[] {
  return sources.map((source) => {
    const { kind, path, values } = source;
    const keys = commonKeysOf(kind);
    const entries = Object.entries(values);
    const common = parseTable(commonTable, {
      ...source,
      values: Object.fromEntries(entries.filter(([key]) => keys.includes(key))),
    });
    const own = { ...source, values: Object.fromEntries(entries.filter(([key]) => !keys.includes(key))) };
    const settings = parseTable(kind.settings, own);
    if (!common.internal) {
      refusePlainHttp(joinPath(path, "base_url"), common.base_url, kind);
      refusePlainHttp(joinPath(path, "url"), own.values["url"], kind);
    }
    const baseUrl = common.base_url ?? kind.defaultBaseUrl ?? null;
    if (kind.auth === "key" && common.enabled && baseUrl === null) {
      throw new ConfigError(joinPath(path, "base_url"), undefined, "the https URL of the service");
    }
    if ((common.client_cert === undefined) !== (common.client_key === undefined)) {
      const absent = common.client_cert === undefined ? "client_cert" : "client_key";
      throw new ConfigError(joinPath(path, absent), undefined, "a file: client_cert and client_key go together");
    }
    const ownHeader = Object.keys(common.headers).find((name) => kind.ownHeaders?.includes(name.toLowerCase()));
    if (ownHeader !== undefined) throw new ConfigError(joinPath(path, "headers", ownHeader), "", setByXpose);
    const mayRead = env !== null && kind.auth === "key" && common.enabled;
    const data = {
      name: nameOf(source),
      kind: kind.kind,
      isEnabled: common.enabled,
      baseUrl,
      apiKey: mayRead ? readApiKey(source, common, env) : null,
      // More digits would not be shown (CONTRACT.md 7.4).
      confidence: Math.round((common.confidence ?? kind.confidence) * 1000) / 1000,
      origin: common.origin ?? nameOf(source),
      workspaces: common.workspaces ?? null,
      isInternal: common.internal,
      clientCert: common.client_cert ?? null,
      clientKey: common.client_key ?? null,
      headers: common.headers,
      settings,
    };
    const timeoutMs = common.timeout ?? kind.timeoutMs;
    return { ...data, timeoutMs, pace: common.rate ?? kind.pace, fingerprintText: canonicalJson(data) };
  });
}

function refusePlainHttp(key: string, text: unknown, kind: SourceKind): void {
  const address = typeof text === "string" ? URL.parse(text) : null;
  if (address === null || address.protocol !== "http:" || isLoopback(address.hostname)) return;
  const or = insideKinds.includes(kind.kind) ? " or with internal = true" : "";
  throw new ConfigError(key, text, `an https URL; plain http only to loopback${or}`);
}

/** From the table, the file it names, or a credential of the service manager (systemd's LoadCredential). */
function readApiKey({ path, kind }: DeclaredSource, table: z.output<typeof commonTable>, env: Environment): string {
  const key = joinPath(path, "api_key");
  const { api_key: given, api_key_file: named } = table;
  if (given !== undefined && named !== undefined) throw new ConfigError(key, given, "one of api_key and api_key_file");
  if (given !== undefined) return given;
  const credential = `${kind.kind}_api_key`;
  const file = named ?? credentialFile(env, credential);
  if (file === null) {
    throw new ConfigError(key, undefined, `an API key: api_key, api_key_file or the credential ${credential}`);
  }
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigError(
      `${key}_file`,
      `got ${JSON.stringify(file)} (${codeOf(error)}), want a file that can be read`,
    );
  }
  const result = apiKey.safeParse(text);
  if (!result.success) throw new ConfigError(key, text, "one line of printable ASCII without blanks in its file");
  return result.data;
}

/** A file that the service manager handed over, or null when there is none of this name. */
function credentialFile(env: Environment, name: string): string | null {
  const folder = env["CREDENTIALS_DIRECTORY"] ?? "";
  if (folder === "") return null;
  const file = join(folder, name);
  return statSync(file, { throwIfNoEntry: false }) === undefined ? null : file;
}

function parseDuration(text: string, minMs: number, maxMs = maxDurationMs): number | null {
  const match = /^(\d{1,10})([smhd])$/.exec(text);
  const unit = match?.[2];
  if (unit !== "s" && unit !== "m" && unit !== "h" && unit !== "d") return null;
  const ms = Number(match?.[1]) * unitMs[unit];
  return ms >= minMs && ms <= maxMs ? ms : null;
}

function parseRate(text: string): Pace | null {
  const [count = "", window = "", ...rest] = text.split("/");
  const windowMs = parseDuration(window, 1);
  if (rest.length > 0 || windowMs === null || !/^[1-9]\d{0,5}$/.test(count)) return null;
  return { count: Number(count), windowMs };
}

/** The path of a unix socket has room for 107 bytes and a zero (unix(7)). */
const maxSocketPathBytes = 107;

function parseListen(text: string): ListenAddress | null {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    const isUsable = isAbsolute(path) && !/\p{Cc}/u.test(path) && Buffer.byteLength(path) <= maxSocketPathBytes;
    return isUsable ? { kind: "unix", path } : null;
  }
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9][a-z0-9.-]*)):(\d{1,5})$/i.exec(text);
  const [, inBrackets, name] = match ?? [];
  const port = Number(match?.[3]);
  if (!(port <= 65_535) || (inBrackets !== undefined && ipVersion(inBrackets) !== 6)) return null;
  return { kind: "tcp", host: inBrackets ?? name ?? "", port };
}

function isHttpUrl(text: string): boolean {
  const address = /^https?:\/\//i.test(text) && !/[\p{Cc}\p{Z}]/u.test(text) ? URL.parse(text) : null;
  return address !== null && address.hostname !== "";
}

function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = ipVersion(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare.toLowerCase() === "localhost" || isLoopbackAddress(bare);
}

function isInside(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith("../");
}

/** Dots between, as the file writes it; a key that needs quotation marks gets them, so that a message stays one line. */
function joinPath(...keys: readonly string[]): string {
  return keys
    .filter((key) => key !== "")
    .map((key) => (/^[\w.[\]-]+$/.test(key) ? key : JSON.stringify(key)))
    .join(".");
}

const maxShownLength = 200;

/** A value as a message may show it: nothing that is or may hold a secret. Addresses lose all but their origin. */
function shown(key: string, value: unknown): string {
  const name = key.replace(/ \(from .*\)$/, "");
  if (value === undefined) return "nothing";
  if (/(?:^|[._])api_key$|\bheaders\b/.test(name)) return "(hidden)";
  // A text in the place of a source's table may be its key.
  if (/^sources\.[a-z]+$/.test(name) && typeof value === "string") return "(hidden)";
  if (/_file$/.test(name) && !(typeof value === "string" && isAbsolute(value))) return "(hidden)";
  if (/(?:^|[._])url$|\.proxy$/.test(name)) {
    const origin = typeof value === "string" ? (URL.parse(value)?.origin ?? "null") : "null";
    return origin === "null" ? "(hidden)" : JSON.stringify(origin);
  }
  if (Array.isArray(value)) return "a list";
  if (isIndexable(value))
    return Object.prototype.toString.call(value) === "[object Object]" ? "a table" : String(value);
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}...`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable";
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
