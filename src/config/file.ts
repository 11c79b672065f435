import { readFileSync } from "node:fs";
import { sourceKinds } from "../sources/registry.ts";
import type { SourceKind } from "../sources/source.ts";
import type { Environment } from "./environment.ts";
import { ConfigError, joinPath } from "./error.ts";
import type { Faults } from "./faults.ts";
import {
  commonKeysOf,
  commonTable,
  corpusTable,
  type Scalar,
  type SectionName,
  scalarsOf,
  sectionTables,
  topTable,
  webhookTable,
} from "./tables.ts";
import { sourceName, wantedName } from "./value.ts";

type Table = Record<string, unknown>;

/** A table of the file (empty when the file lacks it), with the keys that a variable may set. */
export type DeclaredTable = {
  /** `server`, `sources.http.intranet`; empty for the top of the file. */
  readonly path: string;
  readonly values: Table;
  readonly scalars: ReadonlyMap<string, Scalar>;
  /** The variable or flag that set a key instead of the file, by key. */
  readonly setBy: Map<string, string>;
};
export type DeclaredSource = DeclaredTable & { readonly kind: SourceKind };

export type DeclaredTables = {
  readonly top: DeclaredTable;
  readonly sections: Readonly<Record<SectionName, DeclaredTable>>;
  readonly corpus: DeclaredTable;
  readonly sources: readonly DeclaredSource[];
  readonly webhooks: readonly DeclaredTable[];
};

/** The table of the configuration file and its path; null when the default file is missing. */
export function readFile(
  flagged: string | undefined,
  env: Environment,
  defaultFile: string,
): { file: string | null; table: Table } {
  const named = flagged ?? (env["XPOSE_CONFIG"] || undefined);
  const file = named ?? defaultFile;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (named === undefined && codeOf(error) === "ENOENT") return { file: null, table: {} };
    const key = flagged !== undefined ? "--config" : named !== undefined ? "XPOSE_CONFIG" : "configuration file";
    throw new ConfigError(key, `got ${JSON.stringify(file)} (${codeOf(error)}), want a file that can be read`);
  }
  return { file, table: parseToml(text, file) };
}

function parseToml(text: string, file: string): Table {
  try {
    return tableFrom(Bun.TOML.parse(text), file);
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    // The parser's message repeats a value without quotation marks, which may be a secret.
    const reason = error.message.replace(/^TOML Parse error: /, "").split(': "')[0];
    throw new ConfigError(file, `line ${brokenLine(text)}: ${reason}`);
  }
}

/** The parser gives no position. The error is in the statement after the longest part of the file that parses. */
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

/** The tables of a file. A table that is none adds a fault and counts as empty. */
export function declaredTables(root: Table, faults: Faults): DeclaredTables {
  const { sources = {}, webhook = [], ...rest } = root;
  const names = Object.keys(sectionTables);
  const top = Object.fromEntries(Object.entries(rest).filter(([key]) => !names.includes(key)));
  const section = (name: SectionName) => declaredOr(name, rest[name] ?? {}, scalarsOf(sectionTables[name]), faults);
  const { corpus = {}, ...tablesByKind } = faults.attempt(() => tableFrom(sources, "sources")) ?? {};
  return {
    top: declared("", top, scalarsOf(topTable)),
    sections: {
      server: section("server"),
      cache: section("cache"),
      scan: section("scan"),
      watch: section("watch"),
      audit: section("audit"),
      rate_limit: section("rate_limit"),
      outbound: section("outbound"),
      log: section("log"),
    },
    corpus: declaredOr("sources.corpus", corpus, scalarsOf(corpusTable), faults),
    sources: declaredSources(tablesByKind, faults),
    webhooks: declaredWebhooks(webhook, faults),
  };
}

function declaredSources(tablesByKind: Table, faults: Faults): DeclaredSource[] {
  const sources = Object.entries(tablesByKind).flatMap(
    ([name, value]) => faults.attempt(() => sourcesOfKind(name, value, faults)) ?? [],
  );
  const names = sources.map(nameOf);
  for (const repeated of new Set(names.filter((name, index) => names.indexOf(name) !== index))) {
    faults.add(new ConfigError("sources", `two sources are named ${repeated}, want unique names`));
  }
  return sources;
}

function sourcesOfKind(name: string, value: unknown, faults: Faults): DeclaredSource[] {
  const kind = sourceKinds.find((candidate) => candidate.kind === name);
  const key = joinPath("sources", name);
  if (kind === undefined) throw new ConfigError(key, "unknown key");
  const keys = commonKeysOf(kind);
  const common = [...scalarsOf(commonTable)].filter(([one]) => one !== "name" && keys.includes(one));
  const scalars = new Map([...common, ...scalarsOf(kind.settings)]);
  if (!kind.isListed) return [{ ...declared(key, value, scalars), kind }];
  if (!Array.isArray(value)) throw new ConfigError(key, value, `tables with double brackets, [[${key}]]`);
  const listed = value.map((one: unknown, index) =>
    faults.attempt((): DeclaredSource => {
      const values = tableFrom(one, `${key}[${index}]`);
      const given = sourceName.safeParse(values["name"]);
      if (!given.success) throw new ConfigError(`${key}[${index}].name`, values["name"], wantedName());
      return { ...declared(joinPath(key, given.data), values, scalars), kind };
    }),
  );
  return listed.filter((source) => source !== null);
}

function declaredWebhooks(value: unknown, faults: Faults): DeclaredTable[] {
  if (!Array.isArray(value)) {
    faults.add(new ConfigError("webhook", value, "tables with double brackets, [[webhook]]"));
    return [];
  }
  const scalars = new Map([...scalarsOf(webhookTable)].filter(([key]) => key !== "name"));
  const names = new Set<string>();
  const webhooks = value.map((one: unknown, index) =>
    faults.attempt(() => {
      const values = tableFrom(one, `webhook[${index}]`);
      const given = sourceName.safeParse(values["name"]);
      if (!given.success) throw new ConfigError(`webhook[${index}].name`, values["name"], wantedName());
      if (names.has(given.data))
        throw new ConfigError("webhook", `two webhooks are named ${given.data}, want unique names`);
      names.add(given.data);
      return declared(joinPath("webhook", given.data), values, scalars);
    }),
  );
  return webhooks.filter((webhook) => webhook !== null);
}

export function nameOf({ kind, values }: DeclaredSource): string {
  const { name } = values;
  return kind.isListed && typeof name === "string" ? name : kind.kind;
}

function declaredOr(path: string, value: unknown, scalars: ReadonlyMap<string, Scalar>, faults: Faults): DeclaredTable {
  return faults.attempt(() => declared(path, value, scalars)) ?? declared(path, {}, scalars);
}

function declared(path: string, value: unknown, scalars: ReadonlyMap<string, Scalar>): DeclaredTable {
  return { path, values: { ...tableFrom(value, path) }, scalars, setBy: new Map() };
}

/** A date in the file is an object too, but not a table. */
function tableFrom(value: unknown, key: string): Table {
  const isTable =
    typeof value === "object" && value !== null && Object.prototype.toString.call(value) === "[object Object]";
  if (!isTable) throw new ConfigError(key, value, "a table");
  return { ...value };
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable";
}
