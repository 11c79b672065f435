import * as z from "zod/mini";
import { parseTlp } from "../domain/tlp.ts";
import { watchEventTypes } from "../domain/watch-event.ts";
import type { SourceKind } from "../sources/source.ts";
import {
  apiKey,
  atLeast,
  delay,
  duration,
  flag,
  hostnames,
  lifetime,
  networks,
  parsed,
  parseListen,
  parseRate,
  path,
  plainTarget,
  plainUrl,
  proxyTargets,
  sourceName,
  splitList,
  timeout,
  url,
  wantedSecrets,
  webhookSecret,
} from "./value.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export const topTable = z.strictObject({
  data_dir: z.prefault(path, "/var/lib/xpose"),
  secret_file: z.optional(path),
  offline: z._default(flag, false),
});

export const sectionTables = {
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
    get_lookup: z._default(flag, false),
    bulk_limit: z._default(atLeast(1), 1000),
    tls_cert: z.optional(path),
    tls_key: z.optional(path),
    client_ca: z.optional(path),
    insecure_http: z._default(flag, false),
    trusted_proxies: z._default(z.array(networks, "a list of addresses or networks"), []),
    hostnames: z._default(z.array(hostnames, "a list of host names"), []),
    drain_delay: z.prefault(delay, "0s"),
  }),
  cache: z.strictObject({ ttl: z.prefault(lifetime, "24h"), partial_ttl: z.prefault(lifetime, "15m") }),
  scan: z.strictObject({
    concurrency: z._default(atLeast(1), 16),
    timeout: z.prefault(timeout, "90s"),
    max_queue: z._default(atLeast(1), 10_000),
    retention: z.prefault(duration, "30d"),
    ledger_retention: z.prefault(duration, "400d"),
    max_findings: z._default(atLeast(1), 2000),
    max_tlp_outside: z.prefault(parsed("clear, white, green, amber, amber+strict or red", parseTlp), "amber"),
  }),
  watch: z.strictObject({
    max: z._default(atLeast(1), 100_000),
    interval: z.prefault(lifetime, "7d"),
    event_retention: z.prefault(duration, "30d"),
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

export type SectionName = keyof typeof sectionTables;

export const setByXpose = "another header: xpose sets this one itself";
/** Headers for message framing and connection handling, which the HTTP client sets. */
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

const wantedTypes = `a list of ${watchEventTypes.join(", ")}`;

/** The keys of a source's table that are not specific to its kind (docs/contract.md 11.2). */
export const commonTable = z.strictObject({
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

/** One `[[webhook]]` (docs/pipeline.md 20.6). */
export const webhookTable = z.strictObject({
  name: sourceName,
  enabled: z._default(flag, true),
  url: plainTarget,
  secret: z.optional(
    z.union([webhookSecret, z.array(webhookSecret, wantedSecrets).check(z.minLength(1), z.maxLength(2))]),
  ),
  secret_file: z.optional(path),
  workspaces: z.optional(
    z.array(z.string(wantedWorkspaces()).check(z.minLength(1, wantedWorkspaces())), wantedWorkspaces()),
  ),
  types: z.optional(z.array(z.enum(watchEventTypes, wantedTypes), wantedTypes).check(z.minLength(1, wantedTypes))),
  thin: z._default(flag, true),
  internal: z._default(flag, false),
});

/** Corpora work without a table. This table can only disable them or change their time-out. */
export const corpusTable = z.strictObject({ enabled: z._default(flag, true), timeout: z.prefault(timeout, "10s") });

export function commonKeysOf({ auth, isListed, mayBeInternal }: SourceKind): string[] {
  return [
    ...["enabled", "timeout", "rate", "confidence", "origin", "workspaces"],
    ...(isListed ? ["name"] : []),
    ...(mayBeInternal ? ["internal"] : []),
    ...(auth === "key" ? ["base_url", "api_key", "api_key_file"] : []),
    ...(auth === "key" || isListed ? ["client_cert", "client_key", "headers"] : []),
  ];
}

export type Scalar = "text" | "number" | "boolean";

/** The keys of a schema that hold a single value, with their type in the file. */
export function scalarsOf(schema: z.ZodMiniType): Map<string, Scalar> {
  const scalars = new Map<string, Scalar>();
  for (const [key, inner] of Object.entries(shapeOf(schema))) {
    const scalar = scalarOf(inner);
    if (scalar !== null) scalars.set(key, scalar);
  }
  return scalars;
}

/** The keys of a schema in its order, with their defaults as the file would give them; null without a default. */
export function defaultsOf(schema: z.ZodMiniType): Map<string, unknown> {
  return new Map(Object.entries(shapeOf(schema)).map(([key, inner]) => [key, defaultOf(inner)]));
}

function defaultOf(schema: z.core.$ZodType): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === "default" || def.type === "prefault" ? def.defaultValue : null;
}

/**
 * The keys of a table with their schemas. Reads the schema directly: making the JSON Schema of all tables would take a
 * tenth of the start of the service.
 */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  if (schema instanceof z.ZodMiniLazy) return shapeOf(schema.def.getter());
  if (!(schema instanceof z.ZodMiniObject)) throw new TypeError("the schema of a table must be an object");
  return schema.shape;
}

/** Null for a list and a table. In a union, the first option with a single value counts. */
function scalarOf(schema: z.core.$ZodType): Scalar | null {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "string":
    case "enum":
    // All our transforms take text, see `parsed`.
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
      throw new TypeError(`a key of a table has the unsupported type ${def.type}`);
  }
}
